// TestNetwork: a network in memory under virtual time.
//
// Carries real bytes (sealed packets, streams read in pieces) between listeners, with delay, loss,
// cuts, partitions, and nodes that are gone or get no time; a seed makes every run the same. It
// owns the time of the world, and each node's own clock, which stands still while the node is
// frozen. For tests and the simulator, not part of the program.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/random.h"
#include "gossip/stream.h"
#include "gossip/timers.h"
#include "gossip/transport.h"

namespace dkron::gossip {

// SEED of the environment, or `otherwise`.
std::uint64_t test_seed(std::uint64_t otherwise = 1);
Endpoint test_endpoint(int number, std::uint16_t port = 8946);  // 10.0.<n / 256>.<n % 256>.
// A plain packet with one message of memberlist, or of Serf inside of a user message.
std::string test_packet(const std::string& message);
std::string test_user_packet(const std::string& serf_message);

class TestNetwork {
 public:
  // Who listens at an endpoint.
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual void on_packet(const Endpoint& from, std::string_view datagram) = 0;
    virtual std::optional<StreamMessage> on_stream(const StreamMessage& message) = 0;
    virtual const Framing& framing() const = 0;
  };
  // What one node sent and got; bytes are those of the payload.
  struct Traffic {
    std::uint64_t packets_out = 0;
    std::uint64_t packet_bytes_out = 0;
    std::uint64_t packets_in = 0;
    std::uint64_t streams_out = 0;  // As the dialler.
    std::uint64_t stream_bytes_out = 0;
  };

  explicit TestNetwork(std::uint64_t seed);
  ~TestNetwork();

  Timers& timers() { return timers_; }  // Those of the world.
  Duration now() const { return timers_.now(); }
  // Those of the node at an endpoint: they run as the world's do, unless the node is frozen.
  Timers& clock(const Endpoint& at);
  void attach(const Endpoint& at, Listener& listener);
  void detach(const Endpoint& at);
  // The transport of a listener; it answers nothing after it is destroyed.
  std::unique_ptr<Transport> make_transport(const Endpoint& self);

  void set_delay(Duration least, Duration jitter) { delay_ = least, jitter_ = jitter; }
  // Of packets. Streams arrive always, later by what TCP takes to send again. Less than 1.
  void set_loss(double probability) { loss_ = probability; }
  // Of the packets in one direction of one link.
  void set_link_loss(const Endpoint& from, const Endpoint& to, double probability);
  // Nothing goes in or out of that node, packet or stream.
  void cut(const Endpoint& node);
  void mend(const Endpoint& node);
  // Nothing goes between groups. All are in group 0 at first.
  void set_group(const Endpoint& node, int group);
  // The node's process gets no time: its timers stand still, what arrives waits, as much as a
  // socket's buffer holds. At its end everything happens as in the program: packets first, then
  // what has become due, once.
  void freeze(const Endpoint& node);
  void thaw(const Endpoint& node);
  // The node's messages get stuck: its timers run, but what it sends and what arrives waits.
  void stick(const Endpoint& node);
  void loosen(const Endpoint& node);
  // What arrives there from nobody in particular.
  void inject(const Endpoint& to, const std::string& datagram);

  // Lets time go on.
  void run(Duration duration) { timers_.advance(timers_.now() + duration); }
  // Until `done` holds, at most that long; whether it held.
  bool run_until(const std::function<bool()>& done, Duration at_most);

  std::uint64_t packets() const { return packets_; }
  const Traffic& traffic(const Endpoint& of);

 private:
  class LinkTransport;
  struct Host;
  struct Call;

  Host& host(const Endpoint& at);
  void send(Host& from, const Endpoint& to, std::string datagram);
  void carry(Host& from, Host& target, std::string datagram);
  void call(std::shared_ptr<Call> call);
  void answer(const std::shared_ptr<Call>& call);
  static void finish(const std::shared_ptr<Call>& call, Result<StreamMessage> result);
  // Runs it as the node's process: now, or when it gets time again.
  void run_at(Host& host, Task task);
  void wake(Host& host);
  void arm(Host& host);
  void later(Duration delay, Task task);
  Duration random_delay();
  Duration retried(Duration first_retry, int packets);
  bool is_any_lost(int packets);
  bool happens(double probability);
  bool is_lost(const Endpoint& from, const Endpoint& to);
  static bool is_cut(const Host& a, const Host& b);

  struct HashEndpoint {
    std::size_t operator()(const Endpoint& endpoint) const;
  };

  SeededRandom random_;
  Timers timers_;
  std::unordered_map<Endpoint, std::unique_ptr<Host>, HashEndpoint> hosts_;
  Duration delay_ = milliseconds(1);
  Duration jitter_ = milliseconds(2);
  double loss_ = 0;
  std::map<std::pair<Endpoint, Endpoint>, double> link_loss_;
  std::uint64_t packets_ = 0;
  std::uint64_t last_id_ = 0;
  std::unordered_map<std::uint64_t, Timers::Handle> under_way_;
};

}  // namespace dkron::gossip
