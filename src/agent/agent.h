// run_agent: the life of `dkron agent`, from reading its settings to its exit status.
//
// Owns the main loop and its signals: SIGTERM and SIGINT drain and exit with 0, a second one exits
// at once with 1, SIGHUP reads the settings again (spec cli 9). Blocks until the node has ended.
#pragma once

#include "base/error.h"
#include "config/config.h"

namespace dkron::agent {

// An Error means that the node did not come up (exit status 1, text for the user); otherwise the
// exit status: 0, or 1 after a failure that the log explains.
Result<int> run_agent(const config::Sources& sources, std::vector<std::string> command_line);

}  // namespace dkron::agent
