#include "cli/commands.h"

int main(int argc, char** argv) {
  using dkron::cli::Command;
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  Command root;
  root.name = "dkron";
  root.description =
      "Dkron runs jobs at given times on the machines of a cluster, as cron does on one machine.\n"
      "When a machine fails, another one goes on without a run lost or doubled.";
  root.commands = {dkron::cli::agent_command(arguments), dkron::cli::job_command(), dkron::cli::keygen_command(),
                   dkron::cli::version_command()};
  return dkron::cli::dispatch(root, arguments);
}
