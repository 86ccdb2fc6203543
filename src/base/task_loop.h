// TaskLoop and Workers: the threads that control logic lives on, as interfaces.
//
// A TaskLoop is one thread's queue of tasks with timers on the monotonic clock; Workers are threads
// for what may block. The program uses net::Loop and net::WorkerPool; the simulator brings its own
// with virtual time, so that scheduler, runner and leader run there unchanged.
#pragma once

#include <memory>

#include "base/executor.h"
#include "base/time.h"

namespace dkron {

// Lives on its loop's thread.
class Timer {
 public:
  virtual ~Timer() = default;  // Cancels.
  // Calls back once after `delay`; a second call replaces the first. The callback is never run from
  // inside start().
  virtual void start(Duration delay, Task callback) = 0;
  virtual void cancel() = 0;
};

class TaskLoop {
 public:
  virtual ~TaskLoop() = default;
  virtual void post(Task task) = 0;                 // Thread-safe; in the order of the calls.
  virtual Post poster() = 0;                        // A Post that runs tasks here. Thread-safe.
  virtual std::unique_ptr<Timer> make_timer() = 0;  // On the loop's thread.
};

// Thread-safe.
class Workers {
 public:
  virtual ~Workers() = default;
  // False when too many tasks wait; the caller sheds (503).
  virtual bool try_post(Task task) = 0;
};

}  // namespace dkron
