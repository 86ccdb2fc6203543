// Reading jobs. Boost.JSON parses; this file decides what is accepted for each member.
#include <algorithm>
#include <boost/json.hpp>
#include <cstring>

#include "model/job_json.h"
#include "model/json_text.h"
#include "model/unicode.h"

namespace dkron::model {
namespace {

namespace json = boost::json;

constexpr Instant kLastInstant = Instant::from_unix(253402300799, 999'999'999);

tl::unexpected<Error> invalid(std::string message) {
  return fail(ErrorCode::InvalidArgument, std::move(message));
}

// Malformed bytes become U+FFFD, since rows and answers hold valid UTF-8 only.
std::string utf8(std::string_view text) {
  return to_valid_utf8(text);
}

std::string_view kind_name(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null: return "null";
    case json::kind::bool_: return "bool";
    case json::kind::string: return "string";
    case json::kind::array: return "array";
    case json::kind::object: return "object";
    default: return "number";
  }
}

tl::unexpected<Error> wrong_type(std::string_view member, std::string_view wanted,
                                 const json::value& got) {
  return invalid("Job." + std::string(member) + " must be " + std::string(wanted) + ", not " +
                 std::string(kind_name(got)));
}

Result<void> read(const json::value& value, std::string_view member, std::string* out) {
  if (value.is_null()) return {};
  if (!value.is_string()) return wrong_type(member, "a string", value);
  *out = utf8(value.get_string());
  return {};
}

Result<void> read(const json::value& value, std::string_view member, bool* out) {
  if (value.is_null()) return {};
  if (!value.is_bool()) return wrong_type(member, "a boolean", value);
  *out = value.get_bool();
  return {};
}

template <class Integer>
Result<void> read_integer(const json::value& value, std::string_view member, std::int64_t least,
                          std::int64_t most, Integer* out) {
  if (value.is_null()) return {};
  if (!value.is_number()) return wrong_type(member, "a number", value);
  boost::system::error_code error;
  const auto number = value.to_number<std::int64_t>(error);
  if (error || value.is_double() || number < least || number > most) {
    return invalid("Job." + std::string(member) + " must be a whole number from " +
                   std::to_string(least) + " to " + std::to_string(most));
  }
  *out = static_cast<Integer>(number);
  return {};
}

Result<void> read(const json::value& value, std::string_view member, std::uint32_t* out) {
  return read_integer(value, member, 0, UINT32_MAX, out);
}
Result<void> read(const json::value& value, std::string_view member, std::int32_t* out) {
  return read_integer(value, member, INT32_MIN, INT32_MAX, out);
}

// RFC 3339, or with minutes only as HTML forms send it ("2006-01-02T15:04", taken as UTC). Empty
// strings mean unset. Dkron differs: the reference refuses them, and clients send them.
Result<void> read(const json::value& value, std::string_view member, Instant* out) {
  if (value.is_null()) return {};
  if (!value.is_string()) return wrong_type(member, "a time", value);
  const std::string_view text(value.get_string().data(), value.get_string().size());
  if (text.empty()) return {};
  auto parsed = text.size() == 16 ? parse_rfc3339(std::string(text) + ":00Z") : parse_rfc3339(text);
  if (!parsed) return invalid("Job." + std::string(member) + ": " + parsed.error().message);
  // An offset may carry a time out of the years that can be written.
  if (*parsed < Instant() || *parsed > kLastInstant) {
    return invalid("Job." + std::string(member) + ": year outside of range [1,9999]");
  }
  *out = *parsed;
  return {};
}

// Booleans and numbers become the text that an executor expects; objects and arrays are refused.
Result<std::string> setting_text(const json::value& value, std::string_view member) {
  switch (value.kind()) {
    case json::kind::string: return utf8(value.get_string());
    case json::kind::null: return std::string();
    case json::kind::bool_: return std::string(value.get_bool() ? "true" : "false");
    case json::kind::int64:
    case json::kind::uint64: return std::string(json::serialize(value));
    default: return wrong_type(member, "a string", value);
  }
}

Result<void> read(const json::value& value, std::string_view member, StringMap* out) {
  if (!value.is_object()) return wrong_type(member, "an object of strings", value);
  for (const auto& [key, entry] : value.get_object()) {
    auto text = setting_text(entry, std::string(member) + "." + utf8(key));
    if (!text) return fail(text.error());
    (*out)[utf8(key)] = std::move(*text);
  }
  return {};
}

Result<void> read(const json::value& value, std::string_view member,
                  std::optional<StringMap>* out) {
  if (value.is_null()) return {};
  StringMap map;
  if (auto done = read(value, member, &map); !done) return done;
  *out = std::move(map);
  return {};
}

Result<void> read_processors(const json::value& value, std::string_view member,
                             std::map<std::string, StringMap>* out) {
  if (value.is_null()) return {};
  if (!value.is_object()) return wrong_type(member, "an object", value);
  for (const auto& [key, entry] : value.get_object()) {
    StringMap& config = (*out)[utf8(key)];
    if (entry.is_null()) continue;
    const std::string path = std::string(member) + "." + utf8(key);
    if (auto done = read(entry, path, &config); !done) return done;
  }
  return {};
}

Result<void> read_missed_runs(const json::value& value, std::optional<MissedRuns>* out) {
  if (value.is_null()) return {};
  if (!value.is_object()) return wrong_type("missed_runs", "an object", value);
  MissedRuns missed;
  std::string policy = "latest";
  std::string window;
  for (const auto& [key, entry] : value.get_object()) {
    auto done = key == "policy"   ? read(entry, "missed_runs.policy", &policy)
                : key == "window" ? read(entry, "missed_runs.window", &window)
                                  : Result<void>();
    if (!done) return done;
  }
  if (policy == "skip") {
    missed.policy = MissedPolicy::Skip;
  } else if (policy == "all") {
    missed.policy = MissedPolicy::All;
  } else if (policy != "latest" && !policy.empty()) {
    return invalid("Job.missed_runs.policy must be \"skip\", \"latest\" or \"all\"");
  }
  if (!window.empty()) {
    auto parsed = parse_duration(window);
    if (!parsed) return invalid("Job.missed_runs.window: " + parsed.error().message);
    missed.window = *parsed;
  }
  *out = missed;
  return {};
}

Result<void> read_names(const json::value& value, std::vector<std::string>* out) {
  if (value.is_null()) return {};
  if (!value.is_array()) return wrong_type("dependent_jobs", "an array of strings", value);
  for (const json::value& entry : value.get_array()) {
    if (auto done = read(entry, "dependent_jobs", &out->emplace_back()); !done) return done;
  }
  return {};
}

// What a member of that (lower-case) name is read into. Members not listed are ignored.
Result<void> read_member(Job* job, Job* computed, std::string_view name, const json::value& value) {
  if (name == "name") return read(value, name, &job->name);
  if (name == "displayname") return read(value, name, &job->displayname);
  if (name == "timezone") return read(value, name, &job->timezone);
  if (name == "schedule") return read(value, name, &job->schedule);
  if (name == "owner") return read(value, name, &job->owner);
  if (name == "owner_email") return read(value, name, &job->owner_email);
  if (name == "disabled") return read(value, name, &job->disabled);
  if (name == "tags") return read(value, name, &job->tags);
  if (name == "metadata") return read(value, name, &job->metadata);
  if (name == "retries") return read(value, name, &job->retries);
  if (name == "parent_job") return read(value, name, &job->parent_job);
  if (name == "processors") return read_processors(value, name, &job->processors);
  if (name == "concurrency") return read(value, name, &job->concurrency);
  if (name == "executor") return read(value, name, &job->executor);
  if (name == "executor_config") return read(value, name, &job->executor_config);
  if (name == "ephemeral") return read(value, name, &job->ephemeral);
  if (name == "expires_at") return read(value, name, &job->expires_at);
  if (name == "starts_at") return read(value, name, &job->starts_at);
  if (name == "dst_policy") return read(value, name, &job->dst_policy);
  if (name == "missed_runs") return read_missed_runs(value, &job->missed_runs);
  if (name == "keep_executions") return read(value, name, &job->keep_executions);
  // Computed members are read too, so that their types are checked alike.
  if (name == "success_count") return read(value, name, &computed->success_count);
  if (name == "error_count") return read(value, name, &computed->error_count);
  if (name == "last_success") return read(value, name, &computed->last_success);
  if (name == "last_error") return read(value, name, &computed->last_error);
  if (name == "status") return read(value, name, &computed->status);
  if (name == "next") return read(value, name, &computed->next);
  if (name == "dependent_jobs") return read_names(value, &computed->dependent_jobs);
  return {};
}

// Only the first JSON value is read; what follows it is not looked at, as in the original.
Result<json::value> parse_first_value(std::string_view text) {
  json::parse_options options;
  options.max_depth = kJsonDepthLimit;
  options.allow_invalid_utf8 = true;
  json::stream_parser parser({}, options);
  boost::system::error_code error;
  const std::string repaired = replace_lone_surrogates(text);
  std::size_t position = parser.write_some(repaired.data(), repaired.size(), error);
  if (!error && !parser.done()) {
    parser.finish(error);
    position = text.size();
  }
  if (!error) return parser.release();
  const bool is_syntax = error == json::error::syntax;
  return invalid(describe_json_error(text, position, is_syntax ? "" : error.message()));
}

}  // namespace

Result<Job> parse_job(std::string_view text, bool take_computed) {
  if (text.find_first_not_of(" \t\r\n") == text.npos) return invalid("the body is empty");
  auto parsed = parse_first_value(text);
  if (!parsed) return fail(parsed.error());
  const json::value& value = *parsed;
  if (value.is_null()) return Job{};
  if (!value.is_object()) {
    return invalid("a job must be an object, not " + std::string(kind_name(value)));
  }
  Job job;
  Job computed;
  for (const auto& [key, entry] : value.get_object()) {
    // Member names match without regard to case.
    std::string name(key.data(), key.size());
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    if (auto done = read_member(&job, &computed, name, entry); !done) return fail(done.error());
  }
  if (take_computed) {
    job.success_count = computed.success_count;
    job.error_count = computed.error_count;
    job.last_success = computed.last_success;
    job.last_error = computed.last_error;
    job.status = computed.status;
  }
  return job;
}

}  // namespace dkron::model
