#include "gossip/event_ring.h"

namespace dkron::gossip {
namespace {

std::size_t cost_bytes(const std::string& name, const std::string& payload) {
  return sizeof(SerfState::Event) + name.size() + payload.size();
}

}  // namespace

bool EventRing::admit(const UserEvent& event) {
  clock_.witness(event.time);
  if (event.time < min_time_ || clock_.is_too_old(event.time, slots_.size())) return false;
  SerfState::EventSlot& slot = slots_[event.time % slots_.size()];
  if (slot.time == event.time) {
    for (const SerfState::Event& seen : slot.events) {
      if (seen.name == event.name && seen.payload == event.payload) return false;
    }
    if (slot.events.size() >= kMaxPerSlot) return false;
  } else {
    clear(slot);
  }
  make_room(cost_bytes(event.name, event.payload));
  if (event.time < min_time_) return false;
  slot.time = event.time;
  slot.events.push_back({event.name, event.payload});
  size_bytes_ += cost_bytes(event.name, event.payload);
  return true;
}

void EventRing::clear(SerfState::EventSlot& slot) {
  for (const SerfState::Event& event : slot.events) {
    size_bytes_ -= cost_bytes(event.name, event.payload);
  }
  slot = {};
}

void EventRing::make_room(std::size_t wanted_bytes) {
  while (size_bytes_ > 0 && size_bytes_ + wanted_bytes > kMaxBytes) {
    SerfState::EventSlot* oldest = nullptr;
    for (SerfState::EventSlot& slot : slots_) {
      if (slot.events.empty()) continue;
      if (oldest == nullptr || slot.time < oldest->time) oldest = &slot;
    }
    // Forgotten events must not be taken for new ones.
    ignore_before(oldest->time + 1);
    clear(*oldest);
  }
}

std::vector<std::optional<SerfState::EventSlot>> EventRing::slots() const {
  std::vector<std::optional<SerfState::EventSlot>> filled;
  for (const SerfState::EventSlot& slot : slots_) {
    if (!slot.events.empty()) filled.emplace_back(slot);
  }
  return filled;
}

}  // namespace dkron::gossip
