// PeerTable: the nodes of the cluster as the rest of the program needs them: where they answer,
// what they are, since when they are gone.
//
// Fed with the news of gossip; knows nodes of our region that say they are dkron's. A node is
// `gone` from the moment it stops being alive, by whatever way. Main loop's thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "gossip/member.h"
#include "model/job.h"

namespace dkron::agent {

// Tags beyond those of the original. kLedgerTag: the node keeps a run journal (node/), so ordering
// a run again is safe, and delivers results by itself.
inline constexpr std::string_view kClusterIdTag = "cluster_id";
inline constexpr std::string_view kLedgerTag = "run_journal";
// The node leaves for good, so it is to be taken out of the raft group.
inline constexpr std::string_view kLeavingTag = "leaving";
// The node is going down: it gets no new runs.
inline constexpr std::string_view kDrainingTag = "draining";

struct Peer {
  std::string name;
  gossip::MemberStatus status = gossip::MemberStatus::None;
  gossip::Tags tags;
  std::string rpc_address;  // host:port
  bool is_server = false;
  bool has_journal = false;  // See kLedgerTag.
  bool leaves_for_good = false;
  bool is_draining = false;
  int expect = 0;          // Its bootstrap-expect.
  std::string cluster_id;  // Empty: of no cluster yet, or a node that has none.
  Duration gone_since{0};  // Steady time; only while it is not alive.

  bool is_alive() const { return status == gossip::MemberStatus::Alive; }
};

class PeerTable {
 public:
  PeerTable(const Clock& clock, std::string region) : clock_(clock), region_(std::move(region)) {}

  void apply(const gossip::MemberEvent& event);
  void apply(const gossip::Member& member);

  const Peer* find(const std::string& name) const;
  bool is_alive(const std::string& name) const;
  // Where the node answers now; `known_address` when it does not tell.
  std::string rpc_address(const std::string& name, const std::string& known_address = {}) const;
  const std::map<std::string, Peer>& all() const { return peers_; }
  std::vector<const Peer*> alive_servers() const;

  // The rule of spec engine 5.3: alive nodes (that do not drain) that carry all tags, of them as
  // many as the smallest count says, drawn at random.
  std::vector<std::string> select(const std::optional<model::StringMap>& tags,
                                  Random& random) const;

 private:
  const Clock& clock_;
  const std::string region_;
  std::map<std::string, Peer> peers_;
};

}  // namespace dkron::agent
