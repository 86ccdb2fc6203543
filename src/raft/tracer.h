// libraft's diagnostics in our log: its errors and warnings as such, the rest at debug and below.
#pragma once

#include "raft/libraft.h"

namespace dkron::raft {

// Lives as long as the process; has no state. Any thread.
struct raft_tracer* log_tracer();

}  // namespace dkron::raft
