// Clock: where time comes from, so that the simulator and tests can replace it.
//
// wall() is UTC and may step in either direction; steady() only grows and measures waiting. The
// system clocks are read in clock.cpp and nowhere else. Thread-safe.
#pragma once

#include "base/time.h"

namespace dkron {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant wall() const = 0;
  // Monotonic time since an arbitrary origin.
  virtual Duration steady() const = 0;
};

// The machine's clocks. Lives as long as the process.
const Clock& system_clock();

// A clock that stands still until a test moves it. Not thread-safe.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Instant wall) : wall_(wall) {}
  Instant wall() const override { return wall_; }
  Duration steady() const override { return steady_; }
  // Lets both clocks run on by `d`.
  void advance(Duration d) {
    wall_ = wall_ + d;
    steady_ += d;
  }
  // Steps the wall clock only, as an operator or NTP does.
  void step_wall(Duration d) { wall_ = wall_ + d; }

 private:
  Instant wall_;
  Duration steady_{0};
};

}  // namespace dkron
