// Loop: the main thread's event loop (one Asio io_context), timers and signals, without Asio types.
//
// Everything here but post() and stop() is called on the loop's thread. Timers use the monotonic
// clock; what depends on the wall clock re-checks it (see scheduler/). A watchdog logs any handler
// that runs longer than 50 ms ("main: a handler blocked the loop").
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/executor.h"
#include "base/time.h"

namespace boost::asio {
class io_context;
}

namespace dkron::net {

class Timer {
 public:
  virtual ~Timer() = default;  // Cancels.
  // Calls back once after `delay`; a second call replaces the first. The callback is never run from
  // inside start().
  virtual void start(Duration delay, Task callback) = 0;
  virtual void cancel() = 0;
};

class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void run();   // Until stop().
  void stop();  // Thread-safe.

  void post(Task task);  // Thread-safe.
  Post poster();         // A Post that runs tasks here.
  bool is_loop_thread() const;

  std::unique_ptr<Timer> make_timer();

  // Calls back with the signal's number each time one of `signals` arrives, until the Loop ends.
  void on_signals(std::vector<int> signals, std::function<void(int)> callback);

  // Watches a descriptor for readability (a pidfd: the process ended). Calls back once on the
  // loop's thread; the descriptor is not owned and outlives the handle. Destroying the handle
  // cancels. A descriptor that cannot be watched counts as readable at once.
  class Watch {
   public:
    virtual ~Watch() = default;
  };
  std::unique_ptr<Watch> watch_readable(int fd, Task callback);

  boost::asio::io_context& context();  // For net/ only.

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dkron::net
