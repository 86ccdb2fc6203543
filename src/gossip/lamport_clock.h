// LamportClock: the logical time that orders intents, events and queries.
//
// Starts at 1; what others have seen moves it on. It stands still at its largest value instead of
// wrapping, so that a hostile time cannot turn it back. Source: the gossip specification 7.3.
#pragma once

#include <algorithm>
#include <limits>

#include "gossip/serf_messages.h"

namespace dkron::gossip {

class LamportClock {
 public:
  static constexpr LamportTime kLast = std::numeric_limits<LamportTime>::max();

  LamportTime time() const { return time_; }
  LamportTime increment() {
    witness(time_);
    return time_;
  }
  void witness(LamportTime seen) {
    if (seen >= time_) time_ = std::min(seen, kLast - 1) + 1;
  }
  // A ring of so many slots has no room any more for that time.
  bool is_too_old(LamportTime time, std::size_t slots) const {
    return time_ > slots && time < time_ - slots;
  }

 private:
  LamportTime time_ = 1;
};

}  // namespace dkron::gossip
