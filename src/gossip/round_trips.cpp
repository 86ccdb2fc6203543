#include "gossip/round_trips.h"

#include <utility>

namespace dkron::gossip {

bool RoundTrips::on_measured(const std::string& member, Duration round_trip,
                             std::string_view payload) {
  // One without coordinates acknowledges with nothing.
  if (payload.empty()) return true;
  Result<CoordinateRecord> coordinate = decode_coordinate(payload);
  if (!coordinate || !client_.update(member, *coordinate, round_trip)) return false;
  others_[member] = std::move(*coordinate);
  return true;
}

void RoundTrips::forget(const std::string& member) {
  client_.forget(member);
  others_.erase(member);
}

std::optional<Duration> RoundTrips::between(const std::string& a, const std::string& b) const {
  const CoordinateRecord* from = find(a);
  const CoordinateRecord* to = find(b);
  if (from == nullptr || to == nullptr) return std::nullopt;
  return CoordinateClient::distance(*from, *to);
}

const CoordinateRecord* RoundTrips::find(const std::string& member) const {
  if (member == self_) return &client_.coordinate();
  const auto other = others_.find(member);
  return other == others_.end() ? nullptr : &other->second;
}

}  // namespace dkron::gossip
