// The type bytes of Serf's messages, a number space of their own. Internal to gossip.
#pragma once

#include <cstdint>

namespace dkron::gossip {

enum class SerfType : std::uint8_t {
  Leave = 0,
  Join = 1,
  PushPull = 2,
  UserEvent = 3,
  Query = 4,
  QueryResponse = 5,
  ConflictResponse = 6,
  KeyRequest = 7,
  KeyResponse = 8,
  Relay = 9,
};

}  // namespace dkron::gossip
