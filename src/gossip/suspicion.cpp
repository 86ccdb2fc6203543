#include "gossip/suspicion.h"

#include <algorithm>
#include <cmath>

namespace dkron::gossip {

Suspicion::Suspicion(const Profile& profile, std::size_t nodes, std::string accuser, Duration now)
    : expected_(static_cast<std::size_t>(std::max(0, profile.suspicion_mult - 2))),
      min_(suspicion_min_timeout(profile, nodes)),
      max_(profile.suspicion_max_timeout_mult * min_),
      began_(now) {
  // Not enough others to confirm: the shortest time at once.
  if (nodes < expected_ + 2) expected_ = 0;
  accusers_.insert(std::move(accuser));
}

bool Suspicion::confirm(const std::string& accuser) {
  if (confirmations_ >= expected_ || !accusers_.insert(accuser).second) return false;
  ++confirmations_;
  return true;
}

Duration Suspicion::remaining(Duration now) const {
  Duration total = min_;
  if (expected_ > 0) {
    const double progress = std::log(static_cast<double>(confirmations_) + 1) /
                            std::log(static_cast<double>(expected_) + 1);
    const double span_ms = std::chrono::duration<double, std::milli>(max_ - min_).count();
    const double max_ms = std::chrono::duration<double, std::milli>(max_).count();
    const auto total_ms = static_cast<std::int64_t>(std::floor(max_ms - progress * span_ms));
    total = std::max(min_, Duration(milliseconds(total_ms)));
  }
  return total - (now - began_);
}

}  // namespace dkron::gossip
