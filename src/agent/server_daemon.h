// ServerDaemon: a server: keeps the replicated state, schedules when it leads, answers clients, and
// runs jobs as agents do.
//
// Lives on the main loop's thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "agent/cluster_nodes.h"
#include "agent/consistent_reads.h"
#include "agent/control.h"
#include "agent/core.h"
#include "agent/forwarding_control.h"
#include "agent/founder.h"
#include "agent/group_keeper.h"
#include "agent/instruments.h"
#include "agent/leaderless.h"
#include "agent/node_calls.h"
#include "agent/office.h"
#include "api/api.h"
#include "net/http_server.h"
#include "state/machine.h"

namespace dkron::agent {

class ServerDaemon final : public Daemon {
 public:
  ServerDaemon(net::Loop& loop, DaemonOptions options, Addresses addresses);
  ~ServerDaemon() override;

  Result<void> open();
  void stop(Stop how, std::function<void(std::size_t)> stopped) override;
  void reload(const config::Config& config) override { core_.reload(config); }
  void dump_metrics() override;

 private:
  // Start (server_daemon.cpp).
  Result<void> open_state();
  Result<void> open_raft();
  void open_leader();
  Result<void> open_calls();
  Result<void> open_api();
  runner::Services runner_services();
  RemoteRuns::Services remote_services();
  api::Services api_services();
  api::Health health() const;
  std::map<std::string, std::string> tags() const;
  std::string leader_address() const;
  void propose(std::vector<raft::Command> commands, raft::ProposeCallback callback,
               bool may_linger);
  void propose_started(std::uint64_t uid, const model::Execution& execution);
  void take_result(rpc::RunResult result, rpc::ServerService::OnResult done);
  void adopt(const rpc::Adoption& adoption, rpc::OnDone done);
  void found(rpc::OnDone done);
  void list_busy(std::function<void(api::Busy)> done);
  void refresh_metrics();

  // News.
  void on_raft_change();
  void on_peer_change(const std::string& name);
  void on_taken();
  void on_lost();
  void on_changes(const state::Changes& changes);
  void on_change(const state::JobChanged& change);
  void on_change(const state::JobDeleted& change);
  void on_change(const state::AttemptOpened& change);
  void on_change(const state::RetryScheduled& change) { runner_->on_change(change); }
  void on_change(const state::FollowUpOpened& change) { runner_->on_change(change); }
  void on_change(const state::AttemptFinished& change);
  void on_change(const state::InstantsSkipped& change);
  void on_change(const state::PauseChanged& change);
  void on_change(const state::StateReplaced& change);

  // Stop (server_stop.cpp).
  void leave(bool force, rpc::OnDone done);
  Result<void> may_leave() const;
  void hand_over();
  void give_up_vote();
  void tell_leave();
  void wind_down();
  void close();
  void close_raft();

  const config::Config& config() const { return core_.config(); }

  Core core_;
  std::unique_ptr<store::Store> store_;
  state::JobIndex index_;
  runner::GroupIds groups_;
  Instruments instruments_;
  std::unique_ptr<RemoteRuns> remote_;
  std::unique_ptr<ClusterNodes> nodes_;
  std::unique_ptr<state::Machine> machine_;
  std::unique_ptr<raft::Node> raft_;
  std::unique_ptr<runner::Launcher> launcher_;
  std::unique_ptr<runner::Runner> runner_;
  std::unique_ptr<Office> office_;
  std::unique_ptr<LeaderControl> control_;
  std::unique_ptr<ForwardingControl> forwarding_;
  std::unique_ptr<Leaderless> leaderless_;
  std::unique_ptr<Founder> founder_;
  std::unique_ptr<GroupKeeper> keeper_;
  std::unique_ptr<NodeCalls> node_calls_;
  std::unique_ptr<ServerCalls> server_calls_;
  std::unique_ptr<ConsistentReads> reads_;
  std::unique_ptr<api::Api> api_;
  std::unique_ptr<net::HttpServer> http_;
  std::uint64_t told_cluster_id_ = 0;  // In our tags.
  bool is_paused_ = false;
  bool is_stopping_ = false;

  Stop how_ = Stop::Pause;
  bool leaves_for_good_ = false;  // Shown in the tags.
  int open_parts_ = 0;            // That still have to close.
  std::unique_ptr<net::Timer> stop_timer_;
  std::function<void(std::size_t)> stopped_;
  std::size_t runs_left_ = 0;
};

}  // namespace dkron::agent
