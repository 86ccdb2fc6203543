// Memberlist: who is in the cluster and who is alive, by SWIM with the Lifeguard additions.
//
// A pure state machine: packets and stream messages come in, packets and stream messages go out
// through the Transport, time comes from Timers, chance from Random; the layer above (Serf) hears
// of joins and losses through the Delegate. Wire-compatible with memberlist 0.2 to 0.6 (gossip
// specification 3 to 6). Lives on one thread, the program's main loop.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "gossip/broadcast_queue.h"
#include "gossip/node_table.h"
#include "gossip/packet.h"
#include "gossip/profile.h"
#include "gossip/timers.h"
#include "gossip/transport.h"

namespace dkron::gossip {

class Prober;

class Memberlist {
 public:
  struct Options {
    std::string name;
    Endpoint advertise;  // What others send to.
    std::string meta;    // At most kMaxMetaBytes.
    Versions versions;
    Profile profile;
  };
  // What operators are shown; all grow.
  struct Counters {
    std::uint64_t packets_in = 0;
    std::uint64_t packets_out = 0;
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
    std::uint64_t packets_dropped = 0;   // Broken, of another label, encrypted with another key.
    std::uint64_t messages_dropped = 0;  // Malformed, or of a node that was refused.
    std::uint64_t probes = 0;
    std::uint64_t probes_failed = 0;  // Each began or confirmed a suspicion.
    std::uint64_t suspicions = 0;
    std::uint64_t deaths = 0;
    std::uint64_t refutations = 0;
  };
  struct Environment {
    Timers& timers;
    Random& random;
    Transport& transport;
    Delegate& delegate;
    const Framing& framing;  // Its keyring may change between calls.
  };

  Memberlist(Options options, Environment environment);
  ~Memberlist();
  Memberlist(const Memberlist&) = delete;
  Memberlist& operator=(const Memberlist&) = delete;

  // Announces ourselves and begins to probe, gossip and exchange states.
  void start();

  void on_packet(const Endpoint& from, std::string_view datagram);
  // A message that somebody sent on a connection to us; what to answer, if anything.
  std::optional<StreamMessage> on_stream(const StreamMessage& message);

  using Done = std::function<void(Result<>)>;
  // Exchanges states with whoever listens there, as a newcomer.
  void join(const Endpoint& to, Done done);
  // Gossips a new meta; done when the others can be expected to know, at most after 5 s.
  void update(std::string meta, Done done);
  // Tells the others that we go, and is done as update() is. We still answer; stop() ends that.
  void leave(Duration timeout, Done done);
  void stop();

  // A user message straight to a node, and its checksum if the node is known to understand it.
  void send_user(const Endpoint& to, std::string_view payload, bool with_crc);

  const NodeTable& nodes() const { return nodes_; }
  const std::string& name() const { return options_.name; }
  const Endpoint& advertise() const { return options_.advertise; }
  const Profile& profile() const { return options_.profile; }
  int health_score() const { return health_score_; }
  // Messages that wait to be gossiped.
  std::size_t waiting() const { return broadcasts_.size(); }
  const Counters& counters() const { return counters_; }
  bool others_alive() const;

 private:
  friend class Prober;

  // Messages of packets.
  void handle(const Endpoint& from, std::string_view bytes);
  void on_ping(const Endpoint& from, const Ping& ping);
  void on_indirect_ping(const Endpoint& from, const IndirectPing& request);
  void on_alive(Alive alive, bool is_bootstrap = false);
  void on_suspect(const Suspect& suspect);
  void on_dead(const Dead& dead);

  // Steps of the above.
  bool is_news(const Node& node, const Alive& alive);
  Node* admit(Node* known, const Alive& alive);
  bool may_move(const Node& node) const;
  void take_over(Node& node, const Alive& alive);
  void notify_alive(const Node& node, NodeState before, bool is_changed);
  void refute(Node& self, std::uint32_t accused_incarnation);
  void suspect_until_timeout(Node& node, const std::string& accuser);
  void arm_suspicion(Node& node);
  void on_suspicion_timeout(const std::string& name);
  static void end_suspicion(Node& node);

  // Sending.
  void broadcast(std::string message, const std::string& name, Task finished = {});
  void send_with_piggyback(const Endpoint& to, std::string message);
  void send(const Endpoint& to, const std::vector<std::string>& messages, bool with_crc);
  void gossip();
  std::size_t packet_overhead_bytes() const;
  std::vector<std::string> take_broadcasts(std::size_t room_bytes);

  // Exchanging states.
  PushPull local_state(bool is_join);
  void exchange_states();
  void push_pull_with(const Endpoint& to, bool is_join, Done done);
  Result<> check(const PushPull& remote) const;
  void merge(const PushPull& remote);

  void change_health(int delta);
  void repeat(Duration first, std::function<Duration()> interval, Task task, Timers::Handle& timer);
  Node& self();
  bool is_self(const std::string& name) const { return name == options_.name; }
  void finish_when_sent(std::string message, Duration timeout, Done done);

  Options options_;
  Environment env_;
  NodeTable nodes_;
  BroadcastQueue broadcasts_;
  std::unique_ptr<Prober> prober_;
  Counters counters_;
  std::uint32_t incarnation_ = 0;
  int health_score_ = 0;
  bool has_left_ = false;
  Timers::Handle gossip_timer_;
  Timers::Handle push_pull_timer_;
  std::uint64_t last_wait_ = 0;
  std::unordered_map<std::uint64_t, std::pair<Timers::Handle, Done>> waits_;
  std::shared_ptr<char> alive_token_ = std::make_shared<char>();  // Guards late replies.
};

}  // namespace dkron::gossip
