// provider=exec: a command of the operator that prints one address per line.
//
// The way to every cloud that is not built in. The command line is run by /bin/sh with the
// environment of this process; blank lines and lines that begin with `#` are skipped. Blocking up
// to `timeout`; thread-safe.
#pragma once

#include "discovery/query.h"

namespace dkron::discovery {

inline constexpr std::size_t kCommandOutputLimit = std::size_t{64} * 1024;

// provider=exec command="aws ..." [timeout=5s]. An exit status other than 0, or a line that is no
// address, is an error: half a list must not look like a whole one.
Result<Addresses> exec_provider(const Query& query);

}  // namespace dkron::discovery
