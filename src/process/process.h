// Child processes: start, watch, end. posix_spawn and pidfd, never fork (the program runs gRPC).
//
// The Spawner owns the thread `spawn`, which does posix_spawn and nothing else, because that call
// blocks its caller for 0.2-1.5 ms. Each child leads its own session and process group, has stdout
// and stderr on the descriptor given, and no other descriptor of ours. Exit is seen through a pidfd
// on the main loop. All callbacks run on the loop's thread.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/time.h"
#include "net/loop.h"

namespace dkron::process {

struct ProcessId {
  pid_t pid = 0;
  std::uint64_t start_time_ticks = 0;  // Field 22 of /proc/<pid>/stat: tells a reused pid.
  friend bool operator==(const ProcessId&, const ProcessId&) = default;
};

struct Command {
  std::vector<std::string> argv;         // argv[0] is looked up in the PATH of this process
  std::vector<std::string> environment;  // "K=V"; complete, nothing is inherited
  std::string working_directory;         // "" = the agent's
  std::string input;                     // Given on stdin, then end of file
  UniqueFd output;                       // stdout and stderr; opened with O_APPEND by the caller
};

struct ExitStatus {
  int code = 0;           // Valid when signal == 0.
  int signal = 0;
  bool core_dumped = false;
  bool success() const { return code == 0 && signal == 0; }
};
// Go's words: "", "exit status 3", "signal: killed", "signal: segmentation fault (core dumped)".
std::string describe(const ExitStatus& status);

class Child {
 public:
  virtual ~Child() = default;  // Stops watching; does not end the process.
  virtual ProcessId id() const = 0;
  virtual bool signal_group(int signal) = 0;  // False when the group is gone.
};

struct Callbacks {
  // Once: the process runs, or could not be started (texts of Go's os/exec, spec executors 1, e.g.
  // `exec: "nope": executable file not found in $PATH`, `chdir /nope: no such file or directory`).
  std::function<void(Result<std::unique_ptr<Child>>)> started;
  // Once after a successful start; also when the process was over before `started` could run.
  std::function<void(ExitStatus)> exited;
};

class Spawner {
 public:
  explicit Spawner(net::Loop& loop);
  ~Spawner();
  void spawn(Command command, Callbacks callbacks);
  std::size_t queued() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The process `id` when it is still the same one, watched until its end; null when it is gone. For
// processes that outlived the agent: their exit status cannot be read.
std::unique_ptr<Child> adopt(net::Loop& loop, ProcessId id, std::function<void()> ended);

}  // namespace dkron::process
