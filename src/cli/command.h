// Command: one word of the command line, its help and what it does.
//
// The tree is built in main.cpp; dispatch() finds the command, reads its flags and runs it, or
// prints help. Layout and words follow the reference's (spec cli 1, 2); an error is printed once,
// on stderr, with the usage text only when the command line was wrong; commands that
// the reference does not have name their --help instead.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "config/flags.h"

namespace dkron::cli {

struct Command {
  std::string name;
  std::string summary;      // One line for the list of commands.
  std::string description;  // Head of the help text; empty: the summary.
  std::string arguments;    // Shown behind the name: "NAME", "[flags]" is added.
  std::span<const config::Option> options;
  // Gives the exit status. An Error becomes "Error: ..." and status 1.
  std::function<Result<int>(const config::Flags&)> run;  // Null for a group.
  std::vector<Command> commands;
  bool is_ours = false;  // The reference has no such command; counts for those below, too.
};

int dispatch(const Command& root, std::vector<std::string> arguments);

// An error of the user's command line: dispatch() says behind it how the command is used.
tl::unexpected<Error> usage_error(std::string message);

}  // namespace dkron::cli
