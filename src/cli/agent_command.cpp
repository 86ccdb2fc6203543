#include <unistd.h>

#include "agent/agent.h"
#include "cli/commands.h"

extern char** environ;

namespace dkron::cli {
namespace {

std::map<std::string, std::string> read_environment() {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto equals = text.find('=');
    if (equals != text.npos) variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return variables;
}

}  // namespace

Command agent_command(std::vector<std::string> command_line) {
  Command command;
  command.name = "agent";
  command.summary = "Start a dkron agent";
  command.description =
      "Starts a node of dkron: it executes runs and, with --server, keeps the state, schedules,\n"
      "and serves the HTTP API and the web UI.";
  command.options = config::agent_options();
  command.run = [command_line =
                     std::move(command_line)](const config::Flags& flags) -> Result<int> {
    config::Sources sources;
    sources.flags = flags;
    sources.environment = read_environment();
    sources.home = sources.environment["HOME"];
    std::error_code error;
    sources.working_directory = std::filesystem::current_path(error);
    if (error)
      return fail(ErrorCode::Io, "the working directory cannot be read: " + error.message());
    return agent::run_agent(sources, command_line);
  };
  return command;
}

}  // namespace dkron::cli
