// RemoteRuns: the attempts that other nodes execute, as the leader follows them to their end.
//
// An attempt stands here from its opening until its end is committed. While its node is alive there
// is one AgentRun stream to it, opened again when it breaks: a node with a run journal answers a
// second order with what it has. The result comes from the node by itself (take_result of the
// cluster's service); a node of the original sends it with the stream's last message. What cannot
// end that way ends as lost: the node was gone, or could not be reached, for kLostAfter. A result
// that comes still later replaces it. The leader only; everything here is rebuilt from the
// replicated state. Main loop's thread.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/peer_table.h"
#include "base/task_loop.h"
#include "node/node_runs.h"
#include "rpc/client.h"
#include "state/changes.h"

namespace dkron::agent {

class RemoteRuns {
 public:
  static constexpr Duration kLostAfter = seconds(60);
  static constexpr Duration kLookEvery = seconds(1);
  // Pause before a stream is opened again; doubled up to the second.
  static constexpr Duration kAgain = milliseconds(500);
  static constexpr Duration kAgainLimit = seconds(10);
  // A run that lasts longer is recorded as started.
  static constexpr Duration kAnnounceAfter = milliseconds(200);

  struct Services {
    TaskLoop& loop;
    const Clock& clock;
    const PeerTable& peers;
    rpc::Client& client;
    std::function<std::uint64_t()> cluster_id;
    // A run that lasts longer than kAnnounceAfter has begun.
    std::function<void(std::uint64_t uid, const model::Execution&)> on_started;
    // An end that no node delivers: proposed by the leader. Called again until it is committed.
    std::function<void(std::uint64_t uid, model::Execution)> on_result;
    std::function<void()> on_room;  // Fewer wait than before.
  };
  explicit RemoteRuns(Services services);
  ~RemoteRuns();

  // Idempotent.
  void dispatch(const state::AttemptOpened& attempt);
  void on_change(const state::AttemptFinished& change);
  void on_change(const state::JobDeleted& change);
  // What the nodes of these names run is looked at anew: one came, went or changed.
  void on_peer_change(const std::string& name);
  // Leadership is over: the streams are closed, the runs go on.
  void stop();

  // Ordered, and not yet answered for by their node.
  std::size_t waiting() const { return waiting_; }
  std::size_t size() const { return size_; }
  // Of which nodes have told that they run; outputs left out.
  std::vector<model::Execution> running() const;

 private:
  struct Attempt;
  using Attempts = std::map<node::RunKey, std::unique_ptr<Attempt>>;

  void order(Attempt& attempt);
  void on_message(const std::string& node, const node::RunKey& key, model::Execution execution);
  void on_end(const std::string& node, const node::RunKey& key, const Result<void>& end);
  void order_later(Attempt& attempt);
  void answered(Attempt& attempt);
  void announce_long_runs();
  void look();
  void look(const Peer* peer, Attempt& attempt);
  void give_up(Attempt& attempt, const std::string& why);
  void report(Attempt& attempt, model::Execution execution);
  Attempt* find(const std::string& node, const node::RunKey& key);
  void erase(const std::string& node, const node::RunKey& key);

  Services services_;
  std::map<std::string, Attempts> nodes_;  // By the node's name.
  std::size_t size_ = 0;
  std::size_t waiting_ = 0;
  struct Announcement {
    Duration due{0};
    std::string node;
    node::RunKey key;
  };
  std::deque<Announcement> to_announce_;
  std::unique_ptr<Timer> announce_timer_;
  std::unique_ptr<Timer> look_timer_;
};

}  // namespace dkron::agent
