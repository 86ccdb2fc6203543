// Change: what applying the log changed, told to the rest of the program.
//
// The machine collects the Changes of an entry on the raft thread and hands them over once per
// entry, in order, before anybody learns the outcome of its command. The leader's scheduler and
// runner, the job index and the event stream live on nothing else. Plain values.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "model/execution.h"
#include "model/job.h"
#include "store.pb.h"

namespace dkron::state {

enum class Status : std::uint8_t { None, Success, Failed, PartiallyFailed };
std::string_view to_string(Status status);  // "" for None.
Status parse_status(std::string_view text);

// What lists, totals and the scheduler need to know about a job; at most 200 bytes.
struct JobSummary {
  std::uint64_t uid = 0;
  std::uint64_t version = 0;  // Grows with every change of the job or its state.
  std::uint64_t schedule_revision = 0;
  std::string name;
  std::string displayname;
  Instant next;
  Instant last_instant;  // Newest instant with an outcome.
  Instant last_success;
  Instant last_error;
  std::int32_t success_count = 0;
  std::int32_t error_count = 0;
  Status status = Status::None;
  bool disabled = false;
  bool has_parent = false;
  friend bool operator==(const JobSummary&, const JobSummary&) = default;
};

struct JobChanged {
  JobSummary summary;
  bool definition_changed = false;
};

struct JobDeleted {
  std::uint64_t uid = 0;
  std::string name;
};

// One target of a run may start its attempt now: the run is committed.
struct AttemptOpened {
  std::shared_ptr<const model::Job> job;
  std::int64_t group = 0;
  std::string node;
  std::uint32_t attempt = 1;
  std::uint64_t fence = 0;
  Instant scheduled_at;
};

struct RetryScheduled {
  std::uint64_t uid = 0;
  std::int64_t group = 0;
  std::string node;
  std::uint32_t attempt = 2;
  Instant due;
};

struct AttemptFinished {
  std::uint64_t uid = 0;
  model::Execution execution;  // Without the output.
  bool run_complete = false;   // No target is open and no retry waits.
  bool replaces_lost = false;  // Was told before, as lost and failed; this is its real end.
};

struct FollowUpOpened {
  store::FollowUp follow_up;
};

struct InstantsSkipped {
  std::uint64_t uid = 0;
  std::string job_name;
  store::LedgerRow::Reason reason = store::LedgerRow::NONE;
  std::uint32_t count = 0;
};

struct PauseChanged {
  bool paused = false;
};

// A snapshot replaced everything: read the store anew.
struct StateReplaced {};

using Change = std::variant<JobChanged, JobDeleted, AttemptOpened, RetryScheduled, AttemptFinished,
                            FollowUpOpened, InstantsSkipped, PauseChanged, StateReplaced>;
using Changes = std::vector<Change>;

// The word for a reason in the API and in metrics ("overload"); "" for NONE.
std::string_view reason_name(store::LedgerRow::Reason reason);

JobSummary summarize(const store::JobDefinition& definition, const store::JobState& state);

}  // namespace dkron::state
