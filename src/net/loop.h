// Loop: the main thread's event loop (one Asio io_context), timers and signals, without Asio types.
//
// Everything here but post() and stop() is called on the loop's thread. Timers use the monotonic
// clock; what depends on the wall clock re-checks it (see scheduler/). A watchdog logs any handler
// that runs longer than 50 ms ("main: a handler blocked the loop").
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/task_loop.h"

namespace boost::asio {
class io_context;
}

namespace dkron::net {

using dkron::Timer;

class Loop final : public TaskLoop {
 public:
  Loop();
  ~Loop() override;
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void run();   // Until stop(); may be called again.
  void stop();  // Thread-safe.

  void post(Task task) override;
  Post poster() override;
  bool is_loop_thread() const;

  std::unique_ptr<Timer> make_timer() override;

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
