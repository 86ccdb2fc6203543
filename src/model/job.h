// Job: what users define and what the server computes about it (spec rest-api 3.1, engine 1.1).
//
// A plain value. `Job` is the user's part plus the computed part; JSON lives in job_json.h, the
// rows on disk in rows.h; nobody else converts. validate() is the one gate for definitions from
// outside.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "base/time_zone.h"
#include "cron/schedule.h"

namespace dkron::model {

using StringMap = std::map<std::string, std::string>;

inline constexpr std::size_t kNameLimitBytes = 255;
// Of the encoded definition.
inline constexpr std::size_t kJobLimitBytes = std::size_t{256} * 1024;
inline constexpr std::uint32_t kKeepExecutionsLimit = 10'000;

enum class MissedPolicy { Latest, Skip, All };
std::string_view to_string(MissedPolicy policy);

// What happens to instants that were due while nothing could be launched.
struct MissedRuns {
  static constexpr Duration kDefaultWindow = seconds(60);
  MissedPolicy policy = MissedPolicy::Latest;
  Duration window = kDefaultWindow;  // Instants older than this are only recorded.
};

struct Job {
  // Written by users.
  std::string name;
  std::string displayname;
  std::string timezone;
  std::string schedule;
  std::string owner;
  std::string owner_email;
  bool disabled = false;
  std::optional<StringMap> tags;
  std::optional<StringMap> metadata;
  std::uint32_t retries = 0;
  std::string parent_job;
  std::map<std::string, StringMap> processors;
  std::string concurrency = "allow";
  std::string executor;
  std::optional<StringMap> executor_config;
  bool ephemeral = false;
  Instant expires_at;  // Zero: never.
  Instant starts_at;   // Zero: at once.
  std::string dst_policy;
  std::optional<MissedRuns> missed_runs;
  std::uint32_t keep_executions = 0;  // 0: the server's default.

  // Given by the state machine.
  std::uint64_t uid = 0;
  std::uint64_t revision = 0;
  std::uint64_t schedule_revision = 0;

  // Computed.
  std::uint64_t version = 0;
  std::int32_t success_count = 0;
  std::int32_t error_count = 0;
  Instant last_success;
  Instant last_error;
  std::vector<std::string> dependent_jobs;
  std::string status;
  Instant next;
  Instant last_instant;
  std::uint32_t open_groups = 0;

  bool forbids_overlap() const { return concurrency == "forbid"; }
  MissedRuns missed() const { return missed_runs.value_or(MissedRuns{}); }
};

// The checks of spec rest-api 10 in their order, and ours (names over 255 bytes, expires_at before
// starts_at, dst_policy, missed_runs, tag counts). Executor settings are checked by the executors.
Result<void> validate(const Job& job, const TimeZone& server_zone);

// The schedule as it runs: hash expanded, the job's zone (else the server's) applied.
Result<cron::Schedule> parse_schedule(const Job& job, const TimeZone& server_zone);

// The next activation after `now` that the scheduler will launch: zero for disabled jobs, children
// and schedules that never fire; not before starts_at. `last_instant` keeps the phase of @every and
// tells a used-up @after.
Instant next_activation(const Job& job, const cron::Schedule& schedule, Instant now);

// The tag counts of "value:count" (spec engine 5.3); an error for a malformed count.
struct TagFilter {
  std::string value;
  std::optional<std::uint32_t> count;
};
Result<TagFilter> parse_tag_filter(const std::string& value);

}  // namespace dkron::model
