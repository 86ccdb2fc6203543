// What a node tells the log about an attempt, as commands: that it started, and how it ended.
//
// Built by whoever leads, for its own runs and for those of other nodes. Pure functions,
// thread-safe.
#pragma once

#include <cstdint>

#include "base/random.h"
#include "model/execution.h"
#include "raft/node.h"

namespace dkron::runner {

inline constexpr Duration kRetryBase = milliseconds(500);
inline constexpr Duration kRetryCap = minutes(5);

// Pause before attempt `attempt` + 1: exponential, with 20 % jitter (spec engine 5.9).
Duration retry_delay(std::uint32_t attempt, Random& random);

// Of `execution` only node, group, attempt and the start are looked at.
raft::Command started_command(std::uint64_t uid, const model::Execution& execution);

// `now` and the pause before a retry are decided here, since applying the log reads no clock.
raft::Command done_command(std::uint64_t uid, model::Execution execution, Instant now,
                           Random& random);

}  // namespace dkron::runner
