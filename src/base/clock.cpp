#include "base/clock.h"

#include <ctime>

namespace dkron {
namespace {

class SystemClock final : public Clock {
 public:
  Instant wall() const override {
    timespec ts{};
    ::clock_gettime(CLOCK_REALTIME, &ts);
    return Instant::from_unix(ts.tv_sec, static_cast<std::int32_t>(ts.tv_nsec));
  }
  Duration steady() const override {
    timespec ts{};
    ::clock_gettime(CLOCK_MONOTONIC, &ts);
    return seconds(ts.tv_sec) + nanoseconds(ts.tv_nsec);
  }
};

}  // namespace

const Clock& system_clock() {
  static const SystemClock clock;
  return clock;
}

}  // namespace dkron
