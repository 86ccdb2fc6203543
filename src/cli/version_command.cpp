#include <cstdio>

#include "agent/daemon.h"
#include "cli/commands.h"

namespace dkron::cli {

Command version_command() {
  Command command;
  command.name = "version";
  command.summary = "Show version";
  command.description = "Show the version";
  command.run = [](const config::Flags&) -> Result<int> {
    // Labels and the protocol line are the reference's; scripts read them.
    std::printf(
        "Name: Dkron\nVersion: %s\nCodename: C++\nAgent Protocol: 5 (Understands back to: 2)\n",
        std::string(agent::version()).c_str());
    return 0;
  };
  return command;
}

}  // namespace dkron::cli
