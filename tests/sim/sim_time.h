// SimTime: the virtual time of a simulation and what is to happen in it.
//
// Tasks run in the order of their time, those of one moment in the order in which they were put
// down, so one seed gives one history. SimLoop, SimWorkers and SimClock are what the program's code
// sees of it. A loop that was killed drops its tasks, as a process that dies does. One thread.
#pragma once

#include <compare>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>

#include "base/clock.h"
#include "base/random.h"
#include "base/task_loop.h"

namespace dkron::sim {

class SimTime {
 public:
  struct Id {
    Duration at{0};
    std::uint64_t number = 0;
    friend auto operator<=>(const Id&, const Id&) = default;
  };
  // More tasks than this within one virtual second: something spins.
  static constexpr std::uint64_t kTasksPerSecond = 300'000;

  Duration now() const { return now_; }
  Id after(Duration delay, Task task);
  void cancel(Id id) { agenda_.erase(id); }
  // Runs what is due up to `end`, which is then the present.
  void run_until(Duration end);

 private:
  void count_task();

  Duration now_{0};
  std::uint64_t numbers_ = 0;
  std::int64_t second_ = 0;
  std::uint64_t tasks_in_second_ = 0;
  std::map<Id, Task> agenda_;
};

// The thread of one process. Its timers may outlive it, they only do nothing then.
class SimLoop final : public TaskLoop {
 public:
  explicit SimLoop(SimTime& time)
      : life_(std::make_shared<Life>(Life{time, true, Duration(0), Duration(0), {}})) {}
  ~SimLoop() override { kill(); }

  void post(Task task) override { run_after(life_, Duration(0), std::move(task)); }
  Post poster() override;
  std::unique_ptr<Timer> make_timer() override;
  // For other threads of the same process: not held up by a stall.
  void run_elsewhere(Duration delay, Task task);

  // On a worker's thread; what it read is `pause` old when its answer comes.
  void run_work(Duration delay, Duration pause, Task task);

  void kill();
  // The thread does nothing until then (a swapped-out or stopped process).
  void stall(Duration pause);

 private:
  struct Life {
    SimTime& time;
    bool alive;
    Duration stalled_until;
    Duration post_delay;    // Of what a worker's task posts: it takes that long.
    std::deque<Task> held;  // Back by the stall, in order.
  };
  class SimTimer;
  static void go_on(const std::shared_ptr<Life>& life);
  static SimTime::Id run_after(const std::shared_ptr<Life>& life, Duration delay, Task task);

  std::shared_ptr<Life> life_;
};

// What may go wrong at the moment; the driver of the simulation turns it.
struct Faults {
  std::uint64_t unavailable_permille = 0;  // Of proposals: refused, nothing happens.
  std::uint64_t overloaded_permille = 0;
  std::uint64_t busy_permille = 0;            // Of worker tasks: refused.
  Duration work_latency = milliseconds(2);    // Up to that, for a worker's task.
  Duration commit_latency = milliseconds(3);  // Up to ten times that.
};

class SimWorkers final : public Workers {
 public:
  SimWorkers(SimLoop& loop, Random& random, const Faults& faults)
      : loop_(loop), random_(random), faults_(faults) {}
  bool try_post(Task task) override;

 private:
  SimLoop& loop_;
  Random& random_;
  const Faults& faults_;
};

class SimClock final : public Clock {
 public:
  explicit SimClock(const SimTime& time) : time_(time) {}
  Instant wall() const override { return kOrigin + time_.now() + offset_; }
  Duration steady() const override { return time_.now(); }
  void step(Duration by) { offset_ += by; }
  Duration offset() const { return offset_; }

 private:
  // Shortly before Europe's change to summer time of 2027.
  static constexpr Instant kOrigin = Instant::from_unix(1'806'191'000);
  const SimTime& time_;
  Duration offset_{0};
};

// A duration in [least, most].
Duration any_duration(Random& random, Duration least, Duration most);
bool happens(Random& random, std::uint64_t permille);

}  // namespace dkron::sim
