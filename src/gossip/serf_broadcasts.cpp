#include "gossip/serf_broadcasts.h"

#include <utility>

#include "gossip/messages.h"

namespace dkron::gossip {

SerfBroadcasts::SerfBroadcasts(int retransmit_mult, std::size_t max_message_bytes)
    : max_message_bytes_(max_message_bytes),
      queues_{BroadcastQueue(retransmit_mult), BroadcastQueue(retransmit_mult),
              BroadcastQueue(retransmit_mult)} {}

bool SerfBroadcasts::push(Kind kind, std::string message, Task finished) {
  if (message.size() > max_message_bytes_) return false;
  queues_[static_cast<std::size_t>(kind)].push(std::move(message), {}, std::move(finished));
  return true;
}

void SerfBroadcasts::take(std::size_t member_count, std::size_t overhead_bytes,
                          std::size_t& room_bytes, std::vector<std::string>& out) {
  static constexpr char kUser = static_cast<char>(MessageType::User);
  for (BroadcastQueue& queue : queues_) {
    queue.take(member_count, overhead_bytes, {&kUser, 1}, room_bytes, out);
  }
}

}  // namespace dkron::gossip
