#include "agent/agent_daemon.h"

#include <charconv>

#include "base/log.h"
#include "base/random.h"

namespace dkron::agent {

Result<void> AgentDaemon::open() {
  auto opened = core_.open_local(
      {[this](rpc::RunResult result, auto done) { deliver(std::move(result), std::move(done)); },
       nullptr, nullptr, nullptr});
  if (!opened) return opened;
  calls_ = std::make_unique<NodeCalls>(core_.own_runs(), [this](bool, rpc::OnDone done) {
    log::info("agent: Called member stop, now stopping");
    core_.loop().post([this] { core_.options().on_leave(); });
    done({});
  });
  opened = core_.open_network({calls_.get(), nullptr, nullptr, [this] { return tags(); },
                               [this](const std::string& name) { on_peer_change(name); }});
  if (!opened) return opened;
  log::info("agent: Running the agent's RPC", {{"address", core_.addresses().rpc()}});
  return {};
}

// To any server; it passes the result on to the leader.
void AgentDaemon::deliver(rpc::RunResult result, rpc::ServerService::OnResult done) {
  const auto servers = core_.peers().alive_servers();
  if (servers.empty()) {
    done(fail(ErrorCode::Unavailable, "no suitable server found to send the request, aborting"));
    return;
  }
  const Peer* chosen = core_.peers().find(favourite_);
  if (chosen == nullptr || !chosen->is_alive() || chosen->rpc_address.empty()) {
    chosen = servers[system_random().below(servers.size())];
  }
  core_.client().deliver_result(
      chosen->rpc_address, std::move(result),
      [this, name = chosen->name, done = std::move(done)](Result<rpc::RunResultAnswer> answer) {
        favourite_ = answer ? name : "";
        done(std::move(answer));
      });
}

// An agent belongs to the cluster whose servers it meets first, and refuses others from then on.
void AgentDaemon::on_peer_change(const std::string& name) {
  const Peer* peer = core_.peers().find(name);
  if (!cluster_id_.empty() || peer == nullptr || !peer->is_server || peer->cluster_id.empty()) {
    return;
  }
  cluster_id_ = peer->cluster_id;
  std::uint64_t id = 0;
  std::from_chars(cluster_id_.data(), cluster_id_.data() + cluster_id_.size(), id);
  core_.own_runs().set_cluster_id(id);
  core_.refresh_tags();
}

std::map<std::string, std::string> AgentDaemon::tags() const {
  auto tags = member_tags(core_.config(), core_.addresses());
  if (!cluster_id_.empty()) tags[std::string(kClusterIdTag)] = cluster_id_;
  return tags;
}

void AgentDaemon::stop(Stop, std::function<void(std::size_t)> stopped) {
  if (std::exchange(is_stopping_, true)) return;
  core_.drain([this, stopped = std::move(stopped)](std::size_t left) {
    core_.membership().leave([this, left, stopped] {
      core_.stop_network();
      stopped(left);
    });
  });
}

}  // namespace dkron::agent
