// Clusters in memory: nodes of gossip on a TestNetwork.
//
// For tests of the memberlist, of Serf, and for the simulator. TestNode is one Serf with its keys
// and records of what it heard; TestCluster holds several. Not part of the program.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "gossip/serf.h"
#include "gossip/test_network.h"

namespace dkron::gossip {

class TestNode final : public TestNetwork::Listener {
 public:
  // `keys` are raw; none: plain.
  TestNode(TestNetwork& network, const Serf::Options& options, std::vector<std::string> keys,
           std::uint64_t seed);
  ~TestNode() override;

  Serf& serf();  // With its time moved to now.
  Serf* operator->() { return &serf(); }
  Keyring* keyring() { return keyring_ ? &*keyring_ : nullptr; }
  const Endpoint& endpoint() const { return endpoint_; }
  MemberStatus status(const std::string& name) const;
  bool sees(const std::string& name, MemberStatus s) const { return status(name) == s; }
  std::size_t count(std::string_view news_text) const;

  // What the handlers were told.
  std::vector<std::string> news;  // "join b", "failed b": one per member.
  bool keeps_news = true;
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
