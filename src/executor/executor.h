// Executor: how one kind of job does its work on this node.
//
// An Executor lives on the main loop's thread and never blocks it. start() begins one run and
// returns a handle; the handle's owner keeps it until `finished` was called. Output goes to the
// run's spool file (the executor creates it, nobody but appends), never through memory, so that it
// survives this process.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "base/time.h"
#include "process/process.h"

namespace dkron::executor {

// The last bytes of a run's output are kept (spec executors 0).
inline constexpr std::size_t kOutputLimitBytes = 256'000;

using Config = std::map<std::string, std::string>;

struct RunContext {
  std::string job_name;
  std::string execution_id;
  std::string node_name;
  std::int64_t group = 0;
  std::uint32_t attempt = 1;
  std::uint64_t fence = 0;
  Instant scheduled_at;  // Zero for manual runs and dependents.
  Config config;
  Path spool_path;
};

struct RunResult {
  bool success = false;
  std::string error;    // Empty on success; else the first line of the stored output.
  std::string trailer;  // Text behind the output (time-out note ...), may be empty.
};

struct Events {
  // The work begins: a process was started (to be journalled), or a thread took the run up (no id).
  // At most once, before `finished`; never from inside start().
  std::function<void(std::optional<process::ProcessId>)> started;
  std::function<void(RunResult)> finished;  // Exactly once, never from inside start().
};

class Run {
 public:
  virtual ~Run() = default;
  // Ends the run early: TERM, grace, KILL. `finished` still comes. Idempotent.
  virtual void cancel(std::string_view reason) = 0;
};

class Executor {
 public:
  virtual ~Executor() = default;
  virtual std::string_view name() const = 0;
  // For POST of a job: the texts of spec rest-api 10, numbers 7 and 8, and ours.
  virtual Result<void> validate(const Config& config) const = 0;
  virtual std::unique_ptr<Run> start(RunContext context, Events events) = 0;
};

}  // namespace dkron::executor
