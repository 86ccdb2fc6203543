// SocketTransport: the memberlist's packets and streams on real sockets, UDP and TCP on one port.
//
// A thin shell: it frames and reads what the core hands over and hears, and decides nothing. Lives
// on the main loop; never blocks: a packet that the system does not take at once is dropped, as the
// network may. Limits: kMaxIncoming connections from others, kMaxOutgoing of ours, each with a
// deadline, and kMaxPendingBytes of unfinished messages on all of them together.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "base/error.h"
#include "gossip/packet.h"
#include "gossip/transport.h"
#include "net/loop.h"

namespace dkron::gossip {

class SocketTransport final : public Transport {
 public:
  static constexpr std::size_t kMaxIncoming = 128;
  static constexpr std::size_t kMaxOutgoing = 128;
  static constexpr std::size_t kMaxPendingBytes = std::size_t{64} << 20;

  struct Options {
    Endpoint bind;                          // Port 0: any that is free for both.
    Duration stream_timeout = seconds(10);  // For a whole connection from another node.
    // For tests of faults only: packets (not connections) from and to an endpoint that it takes are
    // lost. Empty: none is.
    std::function<bool(const Endpoint&)> loses_packets;
  };
  struct Handlers {
    std::function<void(const Endpoint& from, std::string_view datagram)> on_packet;
    std::function<std::optional<StreamMessage>(const StreamMessage&)> on_stream;
  };

  // Binds both sockets; Unavailable with the address and the reason when it cannot. `framing` is
  // not owned and may change between calls.
  static Result<std::unique_ptr<SocketTransport>> open(net::Loop& loop, const Options& options,
                                                       const Framing& framing, Handlers handlers);
  ~SocketTransport() override;

  const Endpoint& local() const { return local_; }

  void send_packet(const Endpoint& to, std::string datagram) override;
  void exchange(const Endpoint& to, StreamMessage request, Duration timeout,
                Reply on_reply) override;

 private:
  struct Shared;
  class Connection;
  class Incoming;
  class Outgoing;

  SocketTransport(std::shared_ptr<Shared> shared, Endpoint local);
  static void receive(const std::shared_ptr<Shared>& shared);
  static void accept(const std::shared_ptr<Shared>& shared);
  static void accept_later(const std::shared_ptr<Shared>& shared);

  std::shared_ptr<Shared> shared_;  // Outlives this while handlers are under way.
  Endpoint local_;
};

}  // namespace dkron::gossip
