// QueryRing: which queries were seen of late, so that each is answered and passed on once.
//
// A slot per Lamport time (time mod slots) holds the ids of that time, at most kMaxPerSlot; a
// further query of the same time is refused. Part of Serf; lives on its thread. Source: the gossip
// specification 8.6.
#pragma once

#include <cstdint>
#include <vector>

#include "gossip/lamport_clock.h"

namespace dkron::gossip {

class QueryRing {
 public:
  static constexpr std::size_t kMaxPerSlot = 1024;

  explicit QueryRing(std::size_t slots) : slots_(slots) {}

  // Whether it is new; remembers it then.
  bool admit(LamportTime time, std::uint32_t id);
  // Queries before that time are not admitted. Only ever rises.
  void ignore_before(LamportTime time) { min_time_ = std::max(min_time_, time); }

  LamportClock& clock() { return clock_; }
  const LamportClock& clock() const { return clock_; }

 private:
  struct Slot {
    LamportTime time = 0;
    std::vector<std::uint32_t> ids;
  };

  LamportClock clock_;
  LamportTime min_time_ = 0;
  std::vector<Slot> slots_;
};

}  // namespace dkron::gossip
