// Fleet: a large cluster in memory, its troubles, and what its members believe of each other.
//
// Holds the members m0, m1, ... on a TestNetwork. Follows every event of every member, so that it
// knows at any time who sees whom alive, and hands each change to whoever measures. Time goes on in
// steps, and every second the invariants are checked (invariants.h). One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "gossip/test_cluster.h"
#include "invariants.h"

namespace dkron::gossip_sim {

using namespace gossip;

enum class Life { Running, Leaving, Left, Crashed };

class Fleet {
 public:
  struct Options {
    std::uint64_t seed = 1;
    Profile profile;
  };
  struct Actor {
    std::string name;
    Endpoint endpoint;
    std::unique_ptr<TestNode> node;  // Null when it crashed or left.
    Life life = Life::Running;
    bool has_restarted = false;
    bool is_frozen = false;  // Or stuck.
    bool has_left = false;   // The leave is done; the next step ends it.
    Duration disturbed{};    // When it was started, frozen or thawed last.
    std::vector<bool> sees;  // By number: who is alive in its eyes.
    std::size_t seen = 0;    // How many of these.
  };
  using OnChange = std::function<void(std::size_t viewer, std::size_t of, MemberEvent::Type type)>;

  explicit Fleet(const Options& options);

  // Starts so many, joins all to the first at once, and lets it become quiet.
  void form(std::size_t members);
  std::size_t start();  // One more, alone for now; its number.
  void join(std::size_t member, std::size_t to);
  void crash(std::size_t member);
  void restart(std::size_t member);
  void leave(std::size_t member);
  void freeze(std::size_t member);
  void thaw(std::size_t member);
  void stick(std::size_t member);
  void loosen(std::size_t member);
  // While there is trouble, a wrong belief is no failure.
  void set_quiet(bool is_quiet);

  void run(Duration duration);
  // In steps of a tenth of a second; whether it held.
  bool run_until(const std::function<bool()>& done, Duration at_most);
  // Until every running member sees exactly the running ones, and nothing waits to be gossiped; how
  // long that took. Taking longer is a failure.
  Duration settle(Duration at_most);
  // Whether every running member sees exactly the running ones.
  bool is_whole() const;
  bool is_idle() const;

  TestNetwork& network() { return network_; }
  Duration now() const { return network_.now(); }
  const std::vector<Actor>& actors() const { return actors_; }
  TestNode& node(std::size_t member) { return *actors_[member].node; }
  std::size_t running() const;
  std::size_t any_running(bool may_be_frozen = true);  // By chance.
  Random& random() { return random_; }
  void on_change(OnChange on_change) { on_change_ = std::move(on_change); }

  // What all sent together, also those that are gone; what the running ones counted.
  TestNetwork::Traffic traffic();
  Memberlist::Counters counters() const;

  // Who believes wrongly, since when, that a running member is not alive.
  struct Belief {
    std::size_t viewer;
    std::size_t of;
    Duration since;
  };
  // Those that quiet should have ended before.
  const Belief* overdue_belief(Duration bound) const;

 private:
  TestNode& start_node(std::size_t number);
  void on_event(std::size_t viewer, const MemberEvent& event);
  void set_seen(std::size_t viewer, std::size_t of, bool is_alive);
  void step(Duration duration);
  void bury();

  Options options_;
  SeededRandom random_;
  TestNetwork network_;
  std::vector<Actor> actors_;
  OnChange on_change_;
  std::unordered_map<std::uint64_t, Belief> wrong_;  // By both numbers.
  bool is_quiet_ = true;
  Duration quiet_since_{};
  std::uint64_t lives_ = 0;
  Duration next_check_{};
  Invariants invariants_{*this};
};

std::size_t number_of(const std::string& name);

}  // namespace dkron::gossip_sim
