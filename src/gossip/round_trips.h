// RoundTrips: estimates of the time between any two members, from network coordinates.
//
// Every acknowledged probe brings the other's coordinate and a measured time, which move ours; the
// coordinates of members are kept until they are forgotten. Part of Serf; lives on its thread.
// Source: the gossip specification 9.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "gossip/coordinate.h"

namespace dkron::gossip {

class RoundTrips {
 public:
  RoundTrips(std::string self, Random& random) : self_(std::move(self)), client_(random) {}

  std::string ack_payload() const { return encode(client_.coordinate()); }
  // False when the payload is malformed or not plausible.
  bool on_measured(const std::string& member, Duration round_trip, std::string_view payload);
  void forget(const std::string& member);
  // Nothing when one has no coordinate yet.
  std::optional<Duration> between(const std::string& a, const std::string& b) const;

 private:
  const CoordinateRecord* find(const std::string& member) const;

  std::string self_;
  CoordinateClient client_;
  std::unordered_map<std::string, CoordinateRecord> others_;
};

}  // namespace dkron::gossip
