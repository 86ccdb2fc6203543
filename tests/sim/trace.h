// What an entry of the log says about one job, for whoever looks into a failed seed.
#pragma once

#include <cstdint>
#include <string>

#include "sim_raft.h"

namespace dkron::sim {

// Prints each command of `entry` that names the job, or its uid, on stderr. `uid` 0: not known.
void trace_job(const Entry& entry, std::uint64_t index, Duration now, const std::string& name,
               std::uint64_t uid);

}  // namespace dkron::sim
