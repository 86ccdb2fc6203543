// OwnRuns: the runs of this node: taken from the leader, wherever it is, and brought back as
// results.
//
// Owns this node's NodeRuns. Orders come from the leader on this node or over an AgentRun stream;
// the same order may come often, by different leaders, and starts one process. A result stays with
// the node until it is committed (or refused, since its job is gone); until then it is delivered
// again. A leader of the original gets it with the stream's last message instead. Main loop's
// thread.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "node/node_runs.h"
#include "rpc/calls.h"
#include "state/changes.h"

namespace dkron::agent {

class OwnRuns {
 public:
  // Pause before results that could not be delivered are delivered again.
  static constexpr Duration kAgain = milliseconds(500);
  // Results on their way at a time.
  static constexpr std::size_t kDeliveries = 64;

  struct Options {
    node::NodeRuns::Environment environment;
    std::uint64_t cluster_id = 0;  // 0: none yet; set_cluster_id() follows.
    // Brings a result to where it is committed, and answers when it is (NotFound: there is no such
    // job any more).
    std::function<void(rpc::RunResult, rpc::ServerService::OnResult)> deliver;
    // A run ordered by the leader on this node lasts longer; null on agents.
    std::function<void(std::uint64_t uid, const model::Execution&)> on_started;
    std::function<void()> on_room;               // Fewer runs wait than before; may be null.
    std::function<void(bool)> on_journal_stall;  // See NodeRuns::Callbacks::on_stall.
  };
  static Result<std::unique_ptr<OwnRuns>> open(Options options);

  // Results may be delivered from now on.
  void resume() { runs_->resume(); }
  void set_cluster_id(std::uint64_t id) { options_.cluster_id = id; }
  // Orders of others are answered with Unavailable from now on: the node is going down.
  void refuse_new() { is_stopping_ = true; }

  void order(const state::AttemptOpened& attempt);
  void order(rpc::RunRequest request, std::shared_ptr<rpc::RunStream> stream);

  const node::NodeRuns& runs() const { return *runs_; }

 private:
  explicit OwnRuns(Options options) : options_(std::move(options)) {}
  Result<node::RunOrder> read_order(const rpc::RunRequest& request) const;
  void on_began(const node::RunKey& key, const model::Execution& execution);
  void on_started(const node::RunKey& key, Instant started_at);
  void on_finished(const node::RunKey& key, model::Execution execution);
  void deliver_next();
  void on_delivered(const node::RunKey& key, const Result<rpc::RunResultAnswer>& answer);
  void end(const node::RunKey& key);
  void deliver_again_later();
  void tell_room();

  Options options_;
  std::unique_ptr<node::NodeRuns> runs_;
  std::map<node::RunKey, std::shared_ptr<rpc::RunStream>> streams_;
  struct Delivery {
    node::RunKey key;
    model::Execution execution;
  };
  std::deque<Delivery> to_deliver_;
  std::set<node::RunKey> on_the_way_;  // In to_deliver_, or being delivered.
  std::size_t delivering_ = 0;
  std::unique_ptr<net::Timer> again_timer_;
  bool again_armed_ = false;
  bool is_room_told_ = false;
  bool is_stopping_ = false;
};

}  // namespace dkron::agent
