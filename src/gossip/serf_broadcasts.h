// SerfBroadcasts: Serf's messages that wait to be gossiped: intents first, then queries, then
// events.
//
// A message that no packet could hold is not taken: it would wait for ever. Part of Serf; lives on
// its thread. Source: the gossip specification 6.11.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "gossip/broadcast_queue.h"

namespace dkron::gossip {

class SerfBroadcasts {
 public:
  enum class Kind { Intent, Query, Event };

  SerfBroadcasts(int retransmit_mult, std::size_t max_message_bytes);

  // False when it is too large. `finished` as BroadcastQueue::push().
  bool push(Kind kind, std::string message, Task finished = {});
  // As BroadcastQueue::take(), with memberlist's type byte in front of each message.
  void take(std::size_t member_count, std::size_t overhead_bytes, std::size_t& room_bytes,
            std::vector<std::string>& out);
  std::size_t waiting(Kind kind) const { return queues_[static_cast<std::size_t>(kind)].size(); }

 private:
  std::size_t max_message_bytes_;
  std::array<BroadcastQueue, 3> queues_;  // By kind.
};

}  // namespace dkron::gossip
