// Launch: the system calls by which one process comes to life. A Launcher belongs to one thread
// that may block: `spawn`, or a worker that runs a command to its end (process/capture.h).
#pragma once

#include <signal.h>

#include <cstdint>
#include <memory>

#include "process/process.h"

namespace dkron::process {

// A running child that is not watched yet. Unless it is taken over, the destructor kills its group:
// a process that nobody knows of must not go on working.
class Started {
 public:
  Started(ProcessId id, UniqueFd pidfd) : id_(id), pidfd_(std::move(pidfd)) {}
  Started(Started&& other) noexcept = default;
  Started& operator=(Started&&) = delete;
  ~Started();
  ProcessId id() const { return id_; }
  int pidfd() const { return pidfd_.get(); }
  UniqueFd take_pidfd() { return std::move(pidfd_); }

 private:
  ProcessId id_;
  UniqueFd pidfd_;
};

class Launcher {
 public:
  Launcher();
  ~Launcher();
  Result<Started> launch(const Command& command);

 private:
  struct Attributes;
  std::unique_ptr<Attributes> attributes_;
  UniqueFd null_;
};

// How a child ended, as waitid() tells it.
ExitStatus to_exit_status(const siginfo_t& info);

// Field 22 of /proc/<pid>/stat; 0 when there is no such process.
std::uint64_t read_start_time_ticks(pid_t pid);

}  // namespace dkron::process
