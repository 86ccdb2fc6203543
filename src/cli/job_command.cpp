// `dkron job`: jobs from the command line, over the REST API. The original has no such commands.
#include <unistd.h>

#include <array>
#include <boost/json.hpp>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <iterator>

#include "base/file.h"
#include "cli/api_client.h"
#include "cli/commands.h"
#include "cli/table.h"
#include "net/http.h"

namespace dkron::cli {
namespace {

namespace json = boost::json;
using config::Flags;
using config::Option;
using config::Type;

constexpr std::size_t kFileLimitBytes = 16 * 1024 * 1024;
constexpr char kZeroTime[] = "0001-01-01T00:00:00Z";

constexpr Option kApiAddr{"api-addr", Type::String, "http://127.0.0.1:8080",
                          "Address of a server's HTTP API (environment: DKRON_API_ADDR)"};
constexpr Option kFormat{"format", Type::String, "table", "table or json"};
constexpr std::array kListOptions{kApiAddr, kFormat,
                                  Option{"filter", Type::String, "", "Part of the job's name"},
                                  Option{"limit", Type::Int, "1000", "Most jobs to show"}};
constexpr std::array kPlainOptions{kApiAddr};
constexpr std::array kRunOptions{
    kApiAddr, Option{"wait", Type::Bool, "", "Wait for the end; status 1 when it failed"}};
constexpr std::array kExecutionsOptions{
    kApiAddr, kFormat, Option{"limit", Type::Int, "20", "Most executions to show"},
    Option{"output", Type::Bool, "", "Show what the executions printed"}};

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

Result<bool> wants_json(const Flags& flags, std::span<const Option> options) {
  const std::string format = flags.get("format", options);
  if (format != "table" && format != "json") return usage_error("--format must be table or json");
  return format == "json";
}

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

void print_line(std::string text) {
  if (!text.ends_with('\n')) text += '\n';
  print(text);
}

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

// ---- get, apply, delete

Result<int> get_job(const Flags& flags) {
  const auto name = single_name(flags);
  if (!name) return fail(name.error());
  const auto body = client_of(flags).call("GET", job_path(*name) + "?pretty");
  if (!body) return fail(body.error());
  print_line(*body);
  return 0;
}

Result<std::string> read_input(const std::string& file) {
  if (file != "-") return read_file(file, kFileLimitBytes);
  return std::string(std::istreambuf_iterator<char>(std::cin), {});
}

Result<int> apply_jobs(const Flags& flags) {
  if (flags.positional.empty())
    return usage_error("a JSON file is needed, or - for standard input");
  const ApiClient client = client_of(flags);
  for (const std::string& file : flags.positional) {
    const auto text = read_input(file);
    if (!text) return fail(text.error());
    json::error_code error;
    const json::value value = json::parse(*text, error);
    if (error) return fail(ErrorCode::Io, file + ": " + error.message());
    const json::array jobs = value.is_array() ? value.as_array() : json::array{value};
    for (const json::value& job : jobs) {
      const auto answer = client.call("POST", "/v1/jobs", json::serialize(job));
      if (!answer) return fail(answer.error());
      const auto stored = parse(*answer);
      if (stored && stored->is_object())
        print_line("job " + text_of(stored->as_object(), "name") + " applied");
    }
  }
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

// ---- run, executions

Result<int> run_job(const Flags& flags) {
  const auto name = single_name(flags);
  if (!name) return fail(name.error());
  const bool waits = config::read_bool(flags.get("wait", kRunOptions));
  // The end of a run has no limit in time.
  const auto answer =
      client_of(flags).call("POST", job_path(*name) + (waits ? "/run?wait=true" : "/run"), {},
                            waits ? Duration(0) : Duration(seconds(30)));
  if (!answer) return fail(answer.error());
  const auto job = parse(*answer);
  if (!job) return fail(job.error());
  if (!waits || !job->is_object()) {
    print_line("job " + *name + " started");
    return 0;
  }
  const std::string status = text_of(job->as_object(), "status");
  print_line("job " + *name + ": " + status);
  return status == "success" ? 0 : 1;
}

std::string execution_result(const json::object& execution) {
  if (time_of(execution, "finished_at") == "-") return "running";
  if (is_true(execution, "success")) return "success";
  return is_true(execution, "lost") ? "lost" : "failed";
}

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
      {"run", "Run a job now", "", "NAME", kRunOptions, run_job, {}},
  };
  return group;
}

}  // namespace dkron::cli
