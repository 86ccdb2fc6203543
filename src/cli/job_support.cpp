#include "cli/job_support.h"

#include <boost/json.hpp>
#include <cstdio>
#include <cstdlib>

#include "net/http.h"

namespace dkron::cli {
namespace {

constexpr char kZeroTime[] = "0001-01-01T00:00:00Z";

}  // namespace

ApiClient client_of(const Flags& flags) {
  const char* variable = std::getenv("DKRON_API_ADDR");
  const bool from_variable = !flags.has("api-addr") && variable != nullptr && *variable != '\0';
  return ApiClient(from_variable ? variable : flags.get("api-addr", kPlainOptions));
}

std::string job_path(const std::string& name) {
  return "/v1/jobs/" + net::encode_segment(name);
}

Result<std::string> single_name(const Flags& flags) {
  if (flags.positional.size() != 1 || flags.positional.front().empty()) {
    return usage_error("the name of one job is needed");
  }
  return flags.positional.front();
}

Result<json::value> parse(const std::string& text) {
  json::error_code error;
  auto value = json::parse(text, error);
  if (error) return fail(ErrorCode::Corrupt, "the server's answer is not JSON: " + error.message());
  return value;
}

std::string text_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || value->is_null()) return "";
  return value->is_string() ? std::string(value->as_string()) : json::serialize(*value);
}

std::string time_of(const json::object& object, std::string_view name) {
  const std::string text = text_of(object, name);
  return text.empty() || text == kZeroTime ? "-" : text;
}

bool is_true(const json::object& object, std::string_view name) {
  return text_of(object, name) == "true";
}

std::string execution_result(const json::object& execution) {
  if (time_of(execution, "finished_at") == "-") return "running";
  if (is_true(execution, "success")) return "success";
  return is_true(execution, "lost") ? "lost" : "failed";
}

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

void print_line(std::string text) {
  if (!text.ends_with('\n')) text += '\n';
  print(text);
}

}  // namespace dkron::cli
