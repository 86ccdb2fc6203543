// Transport and Delegate: what the memberlist asks of the network below and of the layer above.
//
// Both are called on the memberlist's thread. The program's transport is UdpTcpTransport (sockets
// on the main loop); the simulator brings its own with losses and virtual time.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "gossip/messages.h"

namespace dkron::gossip {

class Transport {
 public:
  using Reply = std::function<void(Result<StreamMessage>)>;

  virtual ~Transport() = default;
  // Best effort; never calls back.
  virtual void send_packet(const Endpoint& to, std::string datagram) = 0;
  // Connects, sends one message and reads one. `on_reply` is called exactly once, later, unless the
  // transport is destroyed before: with the message, or Timeout, Unavailable (nobody there),
  // Corrupt.
  virtual void exchange(const Endpoint& to, StreamMessage request, Duration timeout,
                        Reply on_reply) = 0;
};

class Delegate {
 public:
  virtual ~Delegate() = default;

  // Whether that node may be a member; the error says why not. Asked before it is learned.
  virtual Result<> accept(const NodeRecord& node) = 0;
  virtual void on_join(const NodeRecord& node) = 0;
  virtual void on_leave(const NodeRecord& node) = 0;  // Dead or left, as its state says.
  virtual void on_update(const NodeRecord& node) = 0;
  // Two addresses claim one name.
  virtual void on_conflict(const NodeRecord& known, const Alive& other) = 0;

  virtual void on_user_message(std::string_view payload) = 0;
  // Appends user messages (with the memberlist's type byte) that fit, as BroadcastQueue::take().
  virtual void take_broadcasts(std::size_t overhead_bytes, std::size_t& room_bytes,
                               std::vector<std::string>& out) = 0;
  virtual std::string local_state(bool is_join) = 0;
  virtual void merge_remote_state(std::string_view state, bool is_join) = 0;
  virtual std::string ack_payload() = 0;
  virtual void on_ping_complete(const NodeRecord& node, Duration round_trip,
                                std::string_view payload) = 0;
};

}  // namespace dkron::gossip
