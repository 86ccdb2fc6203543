// `dkron job`: jobs from the command line, over the REST API. The original has no such commands.
#include <array>
#include <boost/json.hpp>

#include "cli/commands.h"
#include "cli/job_support.h"
#include "cli/table.h"
#include "net/http.h"

namespace dkron::cli {
namespace {

constexpr std::array kListOptions{kApiAddr, kFormat,
                                  Option{"filter", Type::String, "", "Part of the job's name"},
                                  Option{"limit", Type::Int, "1000", "Most jobs to show"}};
constexpr std::array kExecutionsOptions{
    kApiAddr, kFormat, Option{"limit", Type::Int, "20", "Most executions to show"},
    Option{"output", Type::Bool, "", "Show what the executions printed"}};

// ---- list

std::string job_table(const json::array& jobs) {
  std::vector<std::vector<std::string>> rows;
  for (const json::value& value : jobs) {
    const json::object* job = value.if_object();
    if (job == nullptr) continue;
    const std::string parent = text_of(*job, "parent_job");
    const std::string status = text_of(*job, "status");
    rows.push_back(
        {text_of(*job, "name"), parent.empty() ? text_of(*job, "schedule") : "after " + parent,
         is_true(*job, "disabled") ? "disabled"
         : status.empty()          ? "-"
                                   : status,
         time_of(*job, "next"), text_of(*job, "success_count"), text_of(*job, "error_count")});
  }
  return format_table({"NAME", "SCHEDULE", "STATUS", "NEXT", "OK", "FAILED"}, rows);
}

Result<int> list_jobs(const Flags& flags) {
  const auto as_json = wants_json(flags, kListOptions);
  if (!as_json) return fail(as_json.error());
  std::string path = "/v1/jobs?_start=0&_end=" + flags.get("limit", kListOptions);
  if (flags.has("filter")) path += "&q=" + net::encode_segment(flags.get("filter", kListOptions));
  const auto body = client_of(flags).call("GET", path);
  if (!body) return fail(body.error());
  if (*as_json) {
    print_line(*body);
    return 0;
  }
  const auto value = parse(*body);
  if (!value) return fail(value.error());
  if (!value->is_array()) return fail(ErrorCode::Corrupt, "the server's answer is not a list");
  print(job_table(value->as_array()));
  return 0;
}

// ---- get, delete

Result<int> get_job(const Flags& flags) {
  const auto name = single_name(flags);
  if (!name) return fail(name.error());
  const auto body = client_of(flags).call("GET", job_path(*name) + "?pretty");
  if (!body) return fail(body.error());
  print_line(*body);
  return 0;
}

Result<int> delete_jobs(const Flags& flags) {
  if (flags.positional.empty()) return usage_error("the name of a job is needed");
  const ApiClient client = client_of(flags);
  for (const std::string& name : flags.positional) {
    if (name.empty()) return usage_error("the name of a job is empty");
    if (auto answer = client.call("DELETE", job_path(name)); !answer) return fail(answer.error());
    print_line("job " + name + " deleted");
  }
  return 0;
}

// ---- executions

std::string execution_table(const json::array& executions, bool with_output) {
  std::vector<std::vector<std::string>> rows;
  std::string outputs;
  for (const json::value& value : executions) {
    const json::object* e = value.if_object();
    if (e == nullptr) continue;
    rows.push_back({text_of(*e, "id"), time_of(*e, "started_at"), time_of(*e, "finished_at"),
                    text_of(*e, "node_name"), text_of(*e, "attempt"), execution_result(*e)});
    if (with_output) outputs += "\n--- " + text_of(*e, "id") + "\n" + text_of(*e, "output") + "\n";
  }
  return format_table({"ID", "STARTED", "FINISHED", "NODE", "ATTEMPT", "RESULT"}, rows) + outputs;
}

Result<int> list_executions(const Flags& flags) {
  const auto name = single_name(flags);
  if (!name) return fail(name.error());
  const auto as_json = wants_json(flags, kExecutionsOptions);
  if (!as_json) return fail(as_json.error());
  const auto body = client_of(flags).call("GET", job_path(*name) + "/executions?_start=0&_end=" +
                                                     flags.get("limit", kExecutionsOptions));
  if (!body) return fail(body.error());
  if (*as_json) {
    print_line(*body);
    return 0;
  }
  const auto value = parse(*body);
  if (!value) return fail(value.error());
  if (!value->is_array()) return fail(ErrorCode::Corrupt, "the server's answer is not a list");
  print(execution_table(value->as_array(),
                        config::read_bool(flags.get("output", kExecutionsOptions))));
  return 0;
}

}  // namespace

Command job_command() {
  Command group;
  group.name = "job";
  group.summary = "List, define, run and delete jobs";
  group.is_ours = true;
  group.commands = {
      {"apply",
       "Create or replace jobs from JSON files",
       "Creates or replaces jobs. A file holds one job or a list of jobs;"
       " - reads standard input.",
       "FILE...",
       kPlainOptions,
       apply_jobs,
       {}},
      {"delete", "Delete jobs", "", "NAME...", kPlainOptions, delete_jobs, {}},
      {"executions",
       "Show the last executions of a job",
       "",
       "NAME",
       kExecutionsOptions,
       list_executions,
       {}},
      {"get", "Show a job as JSON", "", "NAME", kPlainOptions, get_job, {}},
      {"list", "List jobs", "", "", kListOptions, list_jobs, {}},
      {"run", "Run a job now", "", "NAME", run_options(), run_job, {}},
  };
  return group;
}

}  // namespace dkron::cli
