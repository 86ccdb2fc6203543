// `dkron job run`: starts a run and tells its group; with --wait also its executions and its end.
#include <boost/json.hpp>
#include <map>

#include "cli/job_support.h"

namespace dkron::cli {
namespace {

constexpr std::array kRunOptions{
    kApiAddr, Option{"wait", Type::Bool, "", "Wait for the end; status 1 when it failed"}};

std::string describe(const json::object& execution) {
  return "execution " + text_of(execution, "id") + ", attempt " + text_of(execution, "attempt") +
         ": " + execution_result(execution);
}

// Prints the run's executions, oldest first, and gives the result of the last attempt on each node.
std::map<std::string, std::string> show_executions(const json::array& executions,
                                                   const std::string& group) {
  std::map<std::string, std::string> results;
  for (const json::value& value : executions) {
    const json::object* execution = value.if_object();
    if (execution == nullptr || text_of(*execution, "group_id") != group) continue;
    print_line(describe(*execution));
    results[text_of(*execution, "node_name")] = execution_result(*execution);
  }
  return results;
}

int show_end(const std::string& name, const std::map<std::string, std::string>& results) {
  std::string worst = "success";
  for (const auto& [node, result] : results) {
    if (result != "success") worst = result;
  }
  print_line("job " + name + ": " + worst);
  return worst == "success" ? 0 : 1;
}

Result<int> report_end(const ApiClient& client, const std::string& name, const std::string& group,
                       const json::object& job) {
  const auto answer = client.ask(
      "GET", job_path(name) + "/executions?_sort=attempt&_order=ASC&output_size_limit=0");
  if (!answer) return fail(answer.error());
  if (answer->status == 404) {
    // An ephemeral job goes behind its success, and its history with it.
    const bool is_ephemeral = is_true(job, "ephemeral");
    print_line("job " + name + (is_ephemeral ? ": success" : ": deleted while it ran"));
    return is_ephemeral ? 0 : 1;
  }
  if (!ApiClient::is_success(*answer))
    return fail(ErrorCode::Internal, ApiClient::error_text(*answer));
  const auto executions = parse(answer->body);
  if (!executions || !executions->is_array())
    return fail(ErrorCode::Corrupt, "the server's answer is not a list");
  const auto results = show_executions(executions->get_array(), group);
  if (results.empty())
    return fail(ErrorCode::NotFound, "the executions of run " + group + " are no longer kept");
  return show_end(name, results);
}

}  // namespace

std::span<const Option> run_options() {
  return kRunOptions;
}

Result<int> run_job(const Flags& flags) {
  const auto name = single_name(flags);
  if (!name) return fail(name.error());
  const bool waits = config::read_bool(flags.get("wait", kRunOptions));
  const ApiClient client = client_of(flags);
  // The end of a run has no limit in time.
  const auto answer = client.ask("POST", job_path(*name) + (waits ? "/run?wait=true" : "/run"), {},
                                 waits ? Duration(0) : Duration(seconds(30)));
  if (!answer) return fail(answer.error());
  if (!ApiClient::is_success(*answer))
    return fail(ErrorCode::Internal, ApiClient::error_text(*answer));
  const std::string group(net::find_header(answer->headers, "X-Dkron-Group"));
  print_line("job " + *name + " started, group " + (group.empty() ? "unknown" : group));
  if (!waits) return 0;
  const auto job = parse(answer->body);
  if (!job || !job->is_object()) return fail(ErrorCode::Corrupt, "the server's answer is no job");
  return report_end(client, *name, group, job->get_object());
}

}  // namespace dkron::cli
