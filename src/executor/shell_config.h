// What the config of a shell job says (spec executors 1), read and checked.
//
// Free functions; values without thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "executor/builtin.h"
#include "executor/config_text.h"

namespace dkron::executor {

struct ShellPlan {
  std::vector<std::string> argv;
  bool was_cut = false;          // By an unquoted shell operator, which needs `shell`.
  std::vector<std::string> env;  // The entries of `env`, in their order.
  std::string working_directory;
  std::string input;
  Duration timeout{0};  // 0: none
  std::optional<Duration> kill_grace;
  CodeSet success_codes;
  bool discard_stderr = false;
  bool kill_children = false;
};

// For a job that is saved. What Dkron accepts stays accepted; the texts for `timeout` are its own.
Result<void> validate_shell(const Config& config, const ShellOptions& options);

// For a run; the error is the run's.
Result<ShellPlan> plan_shell(const Config& config, const ShellOptions& options);

// The part of this program's environment that jobs see.
std::vector<std::string> inherited_environment(const char* const* environment,
                                               const std::vector<std::string>& allow);

// Of entries with the same name only the last stays, as exec.Cmd does it.
std::vector<std::string> merge_environment(std::vector<std::string> entries);

}  // namespace dkron::executor
