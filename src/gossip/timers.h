// Timers: the time of the gossip core as a value, and what is to happen at which point of it.
//
// The owner moves time with advance(), which runs what has become due, in order; the core never
// reads a clock. Time is monotonic, from an arbitrary origin. Lives on one thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "base/executor.h"
#include "base/time.h"

namespace dkron::gossip {

class Timers {
 public:
  // Cancels its timer when it is destroyed or assigned to. Outlived by its Timers.
  class Handle {
   public:
    Handle() = default;
    Handle(Timers* timers, Duration at, std::uint64_t id) : timers_(timers), at_(at), id_(id) {}
    Handle(Handle&& other) noexcept;
    Handle& operator=(Handle&& other) noexcept;
    ~Handle() { cancel(); }
    void cancel();
    bool is_pending() const { return timers_ != nullptr && timers_->has(at_, id_); }

   private:
    Timers* timers_ = nullptr;
    Duration at_{};
    std::uint64_t id_ = 0;
  };

  explicit Timers(Duration now) : now_(now) {}
  Duration now() const { return now_; }
  // Never calls back from inside, not even for a delay of zero.
  [[nodiscard]] Handle after(Duration delay, Task callback);
  // When the next one is due; nothing when none waits.
  std::optional<Duration> next_due() const;
  // Called whenever a timer becomes the next one due: what the owner waits for may have changed.
  void on_new_next(Task callback) { on_new_next_ = std::move(callback); }

  // Moves time on to `now` (never back) and runs what is due by then, each at its own time.
  void advance(Duration now);
  // The same for a clock that is read, which may have stood still for a while: what is due runs
  // now, so that what it starts takes its time from now on. With advance(), a process that had no
  // time for a minute would live through that minute again, in which nobody answers it.
  void catch_up(Duration now);
  // Moves time without running anything: something else happens now, what is due follows with
  // advance().
  void move_to(Duration now) { now_ = std::max(now_, now); }

 private:
  using Key = std::pair<Duration, std::uint64_t>;
  bool has(Duration at, std::uint64_t id) const { return tasks_.contains({at, id}); }
  void cancel(Duration at, std::uint64_t id) { tasks_.erase({at, id}); }

  std::map<Key, Task> tasks_;
  Duration now_;
  std::uint64_t last_id_ = 0;
  Task on_new_next_;
};

}  // namespace dkron::gossip
