// Child processes: start, watch, end. posix_spawn and pidfd, never fork (the program runs gRPC).
//
// The Spawner owns the thread `spawn`, which opens the output file, calls posix_spawn and does
// nothing else, because these calls block for 0.2-1.5 ms and more on a slow disk. Each child leads
// its own session and process group, has stdout and stderr on its output file, default signal
// dispositions, an empty signal mask, and no other descriptor of ours. Exit is seen through a pidfd
// on the main loop. All callbacks run on the loop's thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
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
  std::string input;                     // Given on stdin, then end of file; never blocks anybody
  Path output_path;                      // stdout and stderr; created, only ever appended to
  bool discard_stderr = false;           // stderr goes to /dev/null instead
  Path error_path;                       // stderr goes there, like output_path; "" = with stdout
};

struct ExitStatus {
  int code = 0;  // Valid when signal == 0.
  int signal = 0;
  bool core_dumped = false;
  bool success() const { return code == 0 && signal == 0; }
};
// Go's words: "", "exit status 3", "signal: killed", "signal: segmentation fault (core dumped)".
std::string describe(const ExitStatus& status);

class Child {
 public:
  // Stops watching and calls back no more; does not end the process. Its zombie is collected by
  // adopt(), else by init once this program ends.
  virtual ~Child() = default;
  virtual ProcessId id() const = 0;
  // Sends `signal` (0: only asks) to every process of the group, also when its leader is over.
  // False when the group is gone; from then on always, since its number may be given out again.
  virtual bool signal_group(int signal) = 0;
};

struct Callbacks {
  // Once: the process runs, or could not be started (texts of Go's os/exec, spec executors 1, e.g.
  // `exec: "nope": executable file not found in $PATH`, `fork/exec /x: permission denied`). A
  // missing working directory is told as Dkron tells it: `fork/exec /bin/pwd: no such file or
  // directory`.
  std::function<void(Result<std::unique_ptr<Child>>)> started;
  // Once after a successful start, as long as the Child lives; also when the process was over
  // before `started` could run. The Child may be destroyed from inside.
  std::function<void(ExitStatus)> exited;
};

// Lives on the loop's thread. Not bounded: who orders runs bounds them
// (node::NodeRuns::kWaitingLimit).
class Spawner {
 public:
  explicit Spawner(net::Loop& loop);
  // Drops what is queued without a callback. A process that runs but whose `started` was not called
  // yet is killed, because nobody would know of it.
  ~Spawner();
  void spawn(Command command, Callbacks callbacks);
  std::size_t queued() const;  // Not yet started. Thread-safe.

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The absolute path of a program by the PATH of this process; a name with a slash is returned as it
// is.
Result<std::string> find_program(const std::string& name);

// The process `id` when it is still the same one, watched until its end; null when it is gone. For
// processes that outlived the agent: their exit status cannot be read.
std::unique_ptr<Child> adopt(net::Loop& loop, ProcessId id, std::function<void()> ended);

}  // namespace dkron::process
