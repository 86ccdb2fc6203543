// run_captured: one command run to its end, with what it wrote.
//
// For threads that may block. The command gets this process' environment, an empty stdin and a
// process group of its own, of which nothing is left when the call returns. Thread-safe.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "process/process.h"

namespace dkron::process {

struct CaptureLimits {
  Duration timeout = seconds(5);
  std::size_t output_bytes = std::size_t{64} * 1024;  // Above it the command is killed: TooLarge.
  // What is written to stderr beyond it is dropped.
  std::size_t error_bytes = std::size_t{4} * 1024;
};

struct Captured {
  ExitStatus status;
  std::string output;
  std::string errors;
};

// Errors: those of a start (process.h), Timeout, TooLarge. A bad exit status is none.
Result<Captured> run_captured(const std::vector<std::string>& argv, const CaptureLimits& limits);

}  // namespace dkron::process
