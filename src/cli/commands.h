// The commands of the program, one file each.
#pragma once

#include "cli/command.h"

namespace dkron::cli {

Command agent_command(std::vector<std::string> command_line);
Command job_command();
Command keygen_command();
Command keys_command();
Command leave_command();
Command raft_command();
Command version_command();

}  // namespace dkron::cli
