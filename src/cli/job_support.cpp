#include "cli/job_support.h"

#include <boost/json.hpp>

#include "net/http.h"

namespace dkron::cli {

std::string job_path(const std::string& name) {
  return "/v1/jobs/" + net::encode_segment(name);
}

Result<std::string> single_name(const Flags& flags) {
  if (flags.positional.size() != 1 || flags.positional.front().empty()) {
    return usage_error("the name of one job is needed");
  }
  return flags.positional.front();
}

std::string execution_result(const json::object& execution) {
  if (time_of(execution, "finished_at") == "-") return "running";
  if (is_true(execution, "success")) return "success";
  return is_true(execution, "lost") ? "lost" : "failed";
}

}  // namespace dkron::cli
