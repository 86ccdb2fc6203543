// EventRing: the user events of late, so that each is delivered once whatever way it comes.
//
// A slot per Lamport time (time mod slots) holds the events of that time. Limits: kMaxPerSlot
// events of one time, kMaxBytes in all; at the first a further event is refused, at the second the
// oldest slot goes and its time counts as too old from then on. Part of Serf; lives on its thread.
// Source: the gossip specification 8.5.
#pragma once

#include <vector>

#include "gossip/lamport_clock.h"

namespace dkron::gossip {

class EventRing {
 public:
  static constexpr std::size_t kMaxPerSlot = 256;
  static constexpr std::size_t kMaxBytes = std::size_t{16} << 20;

  explicit EventRing(std::size_t slots) : slots_(slots) {}

  // Whether it is new; remembers it then.
  bool admit(const UserEvent& event);
  // Events before that time are not admitted. Only ever rises.
  void ignore_before(LamportTime time) { min_time_ = std::max(min_time_, time); }

  LamportClock& clock() { return clock_; }
  const LamportClock& clock() const { return clock_; }
  // What is remembered, as it travels in a push/pull; empty slots are left out.
  std::vector<std::optional<SerfState::EventSlot>> slots() const;
  std::size_t size_bytes() const { return size_bytes_; }

 private:
  void clear(SerfState::EventSlot& slot);
  void make_room(std::size_t wanted_bytes);

  LamportClock clock_;
  LamportTime min_time_ = 0;
  std::vector<SerfState::EventSlot> slots_;  // Time 0: empty.
  std::size_t size_bytes_ = 0;
};

}  // namespace dkron::gossip
