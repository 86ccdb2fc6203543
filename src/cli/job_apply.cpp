// `dkron job apply`: every job of every file is tried, and each has its line.
#include <boost/json.hpp>
#include <cstdio>
#include <iostream>
#include <iterator>

#include "base/file.h"
#include "cli/job_support.h"
#include "model/json_text.h"
#include "model/unicode.h"

namespace dkron::cli {
namespace {

constexpr std::size_t kFileLimitBytes = std::size_t{16} * 1024 * 1024;

struct Counts {
  int created = 0;
  int updated = 0;
  int failed = 0;
};

void report_failure(const std::string& what, const std::string& why, Counts* counts) {
  ++counts->failed;
  const std::string line = what + " failed: " + why + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
}

Result<std::string> read_input(const std::string& file) {
  if (file != "-") return read_file(file, kFileLimitBytes);
  return std::string(std::istreambuf_iterator<char>(std::cin), {});
}

// One JSON value and nothing else. What the server would replace by U+FFFD is refused here, where
// its author can still mend it.
Result<json::value> parse_file(const std::string& text) {
  if (const std::size_t at = model::find_malformed_utf8(text); at != text.npos) {
    return fail(ErrorCode::Io, "the text is not UTF-8 at byte " + std::to_string(at + 1));
  }
  json::stream_parser parser;
  json::error_code error;
  std::size_t position = parser.write_some(text, error);
  if (!error && !parser.done()) {
    parser.finish(error);
    position = text.size();
  }
  if (error) {
    return fail(ErrorCode::Io,
                model::describe_json_error(text, position,
                                           error == json::error::syntax ? "" : error.message()));
  }
  const std::size_t rest = text.find_first_not_of(" \t\r\n", position);
  if (rest != text.npos) return fail(ErrorCode::Io, model::describe_json_error(text, rest, ""));
  return parser.release();
}

// False when there is no server to talk to.
bool apply_job(const ApiClient& client, const json::value& job, const std::string& file,
               Counts* counts) {
  const json::object* object = job.if_object();
  const std::string name = object == nullptr ? "" : text_of(*object, "name");
  const std::string what =
      (name.empty() ? "a job without name" : "job " + name) + " (" + file + ")";
  bool is_known = false;
  if (!name.empty()) {
    const auto known = client.ask("GET", job_path(name));
    is_known = known && ApiClient::is_success(*known);
  }
  const auto answer = client.ask("POST", "/v1/jobs", json::serialize(job));
  if (!answer) {
    report_failure(what, answer.error().message, counts);
    return false;
  }
  if (!ApiClient::is_success(*answer)) {
    report_failure(what, ApiClient::error_text(*answer), counts);
    return true;
  }
  ++(is_known ? counts->updated : counts->created);
  print_line(what + (is_known ? " updated" : " created"));
  for (const auto& [header, value] : answer->headers) {
    if (header == "X-Dkron-Warning") print_line("  warning: " + value);
  }
  return true;
}

bool apply_file(const ApiClient& client, const std::string& file, Counts* counts) {
  const auto text = read_input(file);
  const auto value = text ? parse_file(*text) : Result<json::value>(fail(text.error()));
  if (!value) {
    report_failure(file, value.error().message, counts);
    return true;
  }
  if (!value->is_array()) return apply_job(client, *value, file, counts);
  for (const json::value& job : value->get_array()) {
    if (!apply_job(client, job, file, counts)) return false;
  }
  return true;
}

}  // namespace

Result<int> apply_jobs(const Flags& flags) {
  if (flags.positional.empty())
    return usage_error("a JSON file is needed, or - for standard input");
  const ApiClient client = client_of(flags);
  Counts counts;
  bool is_reached = true;
  for (std::size_t i = 0; i < flags.positional.size() && is_reached; ++i) {
    is_reached = apply_file(client, flags.positional[i], &counts);
  }
  if (counts.created + counts.updated + counts.failed > 1) {
    print_line(std::to_string(counts.created) + " created, " + std::to_string(counts.updated) +
               " updated, " + std::to_string(counts.failed) + " failed");
  }
  if (!is_reached) return fail(ErrorCode::Unavailable, "the rest was not tried");
  return counts.failed == 0 ? 0 : 1;
}

}  // namespace dkron::cli
