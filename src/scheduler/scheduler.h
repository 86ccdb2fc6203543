// Scheduler: a heap of next fire times, driven by a clock; says which jobs are due.
//
// Knows nothing of jobs but (uid, next). Sleeps on the monotonic clock for at most kRecheck and
// looks at the wall clock anew, so that steps of the wall clock and a sleeping machine are noticed
// within a second. A due job leaves the heap; whoever handles it puts it back with its following
// instant. Main loop's thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <queue>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/task_loop.h"

namespace dkron::scheduler {

struct Due {
  std::uint64_t uid = 0;
  Instant instant;  // The job's next activation, not later than now; more may be due behind it.
};

class Scheduler {
 public:
  static constexpr Duration kRecheck = seconds(1);
  // A tick that comes this much later than asked for is reported: the leader does not tick.
  static constexpr Duration kLateTick = seconds(2);
  // A wall clock that went back by more than this asks for new activations (on_clock_back).
  static constexpr Duration kClockBack = hours(1);

  struct Callbacks {
    std::function<void(std::vector<Due>)> on_due;  // In order of their instants.
    std::function<void()> on_clock_back;
  };

  Scheduler(TaskLoop& loop, const Clock& clock, Callbacks callbacks);

  void start();
  void stop();  // Keeps the heap; nothing becomes due until start().
  bool is_running() const { return running_; }

  // Sets or moves a job; a zero `next` removes it.
  void set(std::uint64_t uid, Instant next);
  void remove(std::uint64_t uid);
  void clear();
  std::size_t size() const { return next_.size(); }

  // What the timer does; public for tests with a manual clock.
  void tick();

 private:
  struct Entry {
    Instant next;
    std::uint64_t uid;
    bool operator>(const Entry& other) const {
      return next != other.next ? next > other.next : uid > other.uid;
    }
  };
  void arm();
  void check_clocks(Instant wall);
  std::vector<Due> take_due(Instant now);
  void compact();

  const Clock& clock_;
  Callbacks callbacks_;
  std::unique_ptr<Timer> timer_;
  bool running_ = false;
  Duration wake_at_{0};  // Monotonic time the timer was set to.
  Instant newest_wall_;  // Highest wall time seen.
  // Entries whose time differs from next_ are stale and skipped; compact() bounds their number.
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> heap_;
  std::unordered_map<std::uint64_t, Instant> next_;
};

}  // namespace dkron::scheduler
