#include "gossip/query_ring.h"

#include <algorithm>

namespace dkron::gossip {

bool QueryRing::admit(LamportTime time, std::uint32_t id) {
  clock_.witness(time);
  if (time < min_time_ || clock_.is_too_old(time, slots_.size())) return false;
  Slot& slot = slots_[time % slots_.size()];
  if (slot.time != time) slot = {time, {}};
  if (slot.ids.size() >= kMaxPerSlot) return false;
  if (std::ranges::find(slot.ids, id) != slot.ids.end()) return false;
  slot.ids.push_back(id);
  return true;
}

}  // namespace dkron::gossip
