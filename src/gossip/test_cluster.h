// Clusters in memory: nodes of gossip on a network of their own under virtual time.
//
// For tests of the memberlist, of Serf, and for the simulator. TestNetwork carries real bytes
// (sealed packets, streams read in pieces) between listeners, with delay, loss, cuts and nodes that
// are gone, and owns the one clock that everybody lives by; a seed makes every run the same.
// TestNode is one Serf with its keys and records of what it heard; TestCluster holds several. Not
// part of the program.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "gossip/serf.h"
#include "gossip/stream.h"

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

  explicit TestNetwork(std::uint64_t seed) : random_(seed), timers_(Duration{0}) {}

  Timers& timers() { return timers_; }
  void attach(const Endpoint& at, Listener& listener) { listeners_[at] = &listener; }
  void detach(const Endpoint& at) { listeners_.erase(at); }
  // The transport of a listener; it answers nothing after it is destroyed.
  std::unique_ptr<Transport> make_transport(const Endpoint& self);

  void set_delay(Duration least, Duration jitter) { delay_ = least, jitter_ = jitter; }
  void set_loss(double probability) { loss_ = probability; }  // Of packets; streams arrive.
  // One direction of one link.
  void set_link_loss(const Endpoint& from, const Endpoint& to, double probability);
  // Nothing goes in or out of that node, packet or stream.
  void cut(const Endpoint& node) { cut_.insert(node); }
  void mend(const Endpoint& node) { cut_.erase(node); }
  // What arrives there from nobody in particular.
  void inject(const Endpoint& to, const std::string& datagram);

  // Lets time go on.
  void run(Duration duration) { timers_.advance(timers_.now() + duration); }
  // Until `done` holds, at most that long; whether it held.
  bool run_until(const std::function<bool()>& done, Duration at_most);

  std::uint64_t packets() const { return packets_; }

 private:
  class LinkTransport;
  struct Call;

  void send(const Endpoint& from, const Endpoint& to, std::string datagram);
  void call(std::shared_ptr<Call> call);
  void answer(const std::shared_ptr<Call>& call);
  static void finish(const std::shared_ptr<Call>& call, Result<StreamMessage> result);
  void later(Duration delay, Task task);
  Duration random_delay();
  bool is_lost(const Endpoint& from, const Endpoint& to);
  bool is_cut(const Endpoint& a, const Endpoint& b) const;
  Listener* find(const Endpoint& at) const;

  SeededRandom random_;
  Timers timers_;
  std::map<Endpoint, Listener*> listeners_;
  Duration delay_ = milliseconds(1);
  Duration jitter_ = milliseconds(2);
  double loss_ = 0;
  std::map<std::pair<Endpoint, Endpoint>, double> link_loss_;
  std::set<Endpoint> cut_;
  std::uint64_t packets_ = 0;
  std::uint64_t last_id_ = 0;
  std::map<std::uint64_t, Timers::Handle> under_way_;
};

class TestNode final : public TestNetwork::Listener {
 public:
  // `keys` are raw; none: plain.
  TestNode(TestNetwork& network, const Serf::Options& options, std::vector<std::string> keys,
           std::uint64_t seed);
  ~TestNode() override;

  Serf& serf() { return *serf_; }
  Serf* operator->() { return serf_.get(); }
  Keyring* keyring() { return keyring_ ? &*keyring_ : nullptr; }
  const Endpoint& endpoint() const { return endpoint_; }
  MemberStatus status(const std::string& name) const;
  bool sees(const std::string& name, MemberStatus s) const { return status(name) == s; }
  std::size_t count(std::string_view news_text) const;

  // What the handlers were told.
  std::vector<std::string> news;  // "join b", "failed b": one per member.
  std::vector<UserEvent> events;
  std::vector<IncomingQuery> queries;
  std::vector<Keyring> saved_keyrings;
  bool is_name_lost = false;
  // What the handlers do.
  std::function<void(const MemberEvent&)> on_member_event;
  std::function<void(const IncomingQuery&)> on_query;
  Result<> save_result;

  void on_packet(const Endpoint& from, std::string_view datagram) override;
  std::optional<StreamMessage> on_stream(const StreamMessage& message) override;
  const Framing& framing() const override { return framing_; }

 private:
  Serf::Handlers handlers();

  TestNetwork& network_;
  Endpoint endpoint_;
  SeededRandom random_;
  std::optional<Keyring> keyring_;
  Framing framing_;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<Serf> serf_;
};

class TestCluster {
 public:
  using Adjust = std::function<void(Serf::Options&)>;

  explicit TestCluster(std::uint64_t seed = test_seed()) : seed_(seed), network_(seed) {}

  // Keys of nodes added from now on.
  void set_keys(std::vector<std::string> keys) { keys_ = std::move(keys); }
  // How nodes added from now on differ from the default, whose events are not coalesced.
  void set_adjust(Adjust adjust) { adjust_ = std::move(adjust); }

  // Starts a node on an address of its own; the name may be in use.
  TestNode& add(const std::string& name, const Adjust& adjust = {});
  // Starts a node where another was, after a crash.
  TestNode& restart(const std::string& name, const Adjust& adjust = {});
  // Adds all and joins them to the first; returns when everybody knows everybody.
  void form(const std::vector<std::string>& names);
  // The process is gone without a word.
  void crash(const std::string& name);

  // Runs until the join is over.
  Result<std::size_t> join(TestNode& node, const Endpoint& to, bool ignore_old = false);
  Result<> leave(TestNode& node);
  TestNode& operator[](const std::string& name) { return *nodes_.at(name); }
  // Whether every node that runs sees that member so.
  bool all_see(const std::string& name, MemberStatus status) const;

  TestNetwork& network() { return network_; }
  void run(Duration duration) { network_.run(duration); }
  bool run_until(const std::function<bool()>& done, Duration at_most) {
    return network_.run_until(done, at_most);
  }

 private:
  TestNode& start(const std::string& name, const Endpoint& endpoint, const Adjust& adjust);

  std::uint64_t seed_;
  TestNetwork network_;
  std::vector<std::string> keys_;
  Adjust adjust_;
  int last_number_ = 0;
  std::map<std::string, Endpoint> endpoints_;
  std::map<std::string, std::unique_ptr<TestNode>> nodes_;
};

}  // namespace dkron::gossip
