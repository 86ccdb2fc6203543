// plan(): what becomes of a job's due instants; the missed-run policy as a pure function.
//
// Each due instant gets exactly one outcome. A plan is a list of steps in the order of time; each
// step names the activation behind it, so that the plan may stop after any of them and be made anew
// from the state. Pure, thread-safe; costs at most a few thousand schedule searches.
#pragma once

#include <cstdint>
#include <vector>

#include "cron/schedule.h"
#include "model/job.h"

namespace dkron::scheduler {

enum class MissReason { OutsideWindow, Superseded, PolicySkip, Overload };

struct Step {
  bool is_launch = false;
  bool late = false;  // Launch: later than kOnTime.
  Instant first;      // Launch: the instant. Miss: the oldest of the range.
  Instant last;       // The newest of the range.
  std::uint32_t count = 1;
  bool count_is_minimum = false;
  MissReason reason = MissReason::Superseded;
  Instant next;  // The activation behind `last`; zero: none.
};

// Up to here a launch counts as being on time.
inline constexpr Duration kOnTime = seconds(5);
inline constexpr std::uint32_t kCountLimit = 10'000;

struct PlanInput {
  const cron::Schedule& schedule;
  model::MissedRuns missed;
  Instant due;  // The oldest instant without outcome, not later than now.
  Instant now;
  bool overloaded = false;  // Instants were held back because too many runs wait.
};

// Policy `all` yields at most one launch per plan, so that a backlog is replayed at the caller's
// rate.
std::vector<Step> plan(const PlanInput& input);

// All instants from `first` up to and including `last` as one miss. Counting stops at kCountLimit.
Step missed_range(const cron::Schedule& schedule, Instant first, Instant last, MissReason reason);

// The activation behind `instant`: @every counts from it, so that the phase stays.
Instant following(const cron::Schedule& schedule, Instant instant);

// The newest activation in [first, now], where `first` is one.
Instant newest_due(const cron::Schedule& schedule, Instant first, Instant now);

}  // namespace dkron::scheduler
