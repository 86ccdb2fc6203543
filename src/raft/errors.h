// libraft's status codes as Errors, with texts that tell an operator what to do.
#pragma once

#include <string_view>

#include "base/error.h"
#include "base/file.h"

namespace dkron::raft {

// From raft_init, raft_bootstrap or raft_start; `detail` is the library's own text.
Error start_error(int code, std::string_view detail, const Path& directory);

// raft_apply and raft_barrier said no at once: nothing was or will be applied.
Error refused_error(int code);

// A request that had been accepted ended without success: nobody knows.
Error lost_error(int code);

}  // namespace dkron::raft
