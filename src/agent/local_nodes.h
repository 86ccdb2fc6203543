// LocalNodes: the cluster of one node, as the leader's runner sees it; runs end here and their
// results are proposed from here.
//
// Owns this node's NodeRuns. A result stays with the node until its Done command is committed (or
// refused, since its job is gone); until then it is proposed again. Main loop's thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "node/node_runs.h"
#include "runner/services.h"

namespace dkron::agent {

class LocalNodes final : public runner::Nodes {
 public:
  using Propose =
      std::function<void(std::vector<raft::Command>, raft::ProposeCallback, bool may_linger)>;

  // Pause before results that could not be committed are proposed again.
  static constexpr Duration kAgain = milliseconds(500);

  struct Options {
    node::NodeRuns::Environment environment;
    std::map<std::string, std::string> tags;  // Of this node, dkron's own ones included.
    Propose propose;
    std::function<void()> on_room;               // Fewer runs wait than before.
    std::function<void(bool)> on_journal_stall;  // See NodeRuns::Callbacks::on_stall.
  };
  static Result<std::unique_ptr<LocalNodes>> open(Options options);

  // Results may be proposed from now on: this node leads.
  void resume();

  std::vector<std::string> select(const std::optional<model::StringMap>& tags) override;
  void dispatch(const state::AttemptOpened& attempt) override;
  std::size_t waiting() const override { return runs_->waiting(); }

  void set_tags(std::map<std::string, std::string> tags) { options_.tags = std::move(tags); }
  const std::map<std::string, std::string>& tags() const { return options_.tags; }
  const node::NodeRuns& runs() const { return *runs_; }

 private:
  explicit LocalNodes(Options options) : options_(std::move(options)) {}
  void on_started(const node::RunKey& key, Instant started_at);
  void on_finished(const node::RunKey& key, model::Execution execution);
  void propose_again_later();
  void tell_room();

  Options options_;
  std::unique_ptr<node::NodeRuns> runs_;
  std::unique_ptr<net::Timer> again_timer_;
  bool again_armed_ = false;
  bool is_room_told_ = false;
};

}  // namespace dkron::agent
