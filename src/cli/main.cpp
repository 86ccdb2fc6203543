#include <malloc.h>

#include "cli/commands.h"

namespace {

// Answers of some megabytes come and go all the time: their memory is kept instead of being given
// back to the kernel and faulted in anew each time. Few arenas keep what the worker threads hold
// back small.
void tune_allocator() {
  constexpr int kMegabyte = 1024 * 1024;
  mallopt(M_MMAP_THRESHOLD, 32 * kMegabyte);
  mallopt(M_TRIM_THRESHOLD, 16 * kMegabyte);
  mallopt(M_ARENA_MAX, 2);
}

}  // namespace

int main(int argc, char** argv) {
  using dkron::cli::Command;
  tune_allocator();
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  Command root;
  root.name = "dkron";
  root.description =
      "Dkron runs jobs at given times on the machines of a cluster, as cron does on one machine.\n"
      "When a machine fails, another one goes on without a run lost or doubled.";
  root.commands = {dkron::cli::agent_command(arguments), dkron::cli::job_command(),
                   dkron::cli::keygen_command(),         dkron::cli::keys_command(),
                   dkron::cli::leave_command(),          dkron::cli::raft_command(),
                   dkron::cli::version_command()};
  return dkron::cli::dispatch(root, arguments);
}
