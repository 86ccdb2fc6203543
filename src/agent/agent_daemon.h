// AgentDaemon: a node that only runs: no state, no API; it answers its leader's orders.
//
// Lives on the main loop's thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "agent/core.h"
#include "agent/node_calls.h"

namespace dkron::agent {

class AgentDaemon final : public Daemon {
 public:
  AgentDaemon(net::Loop& loop, DaemonOptions options, Addresses addresses)
      : core_(loop, std::move(options), std::move(addresses)) {}
  ~AgentDaemon() override { core_.stop_workers(); }

  Result<void> open();
  void stop(Stop how, std::function<void(std::size_t)> stopped) override;
  void reload(const config::Config& config) override { core_.reload(config); }
  void dump_metrics() override { core_.dump_metrics(); }

 private:
  void deliver(rpc::RunResult result, rpc::ServerService::OnResult done);
  void on_peer_change(const std::string& name);
  std::map<std::string, std::string> tags() const;

  Core core_;
  std::unique_ptr<NodeCalls> calls_;
  // The server that took the last result; the next one goes there too.
  std::string favourite_;
  std::string cluster_id_;  // Of the servers; empty while none was seen.
  bool is_stopping_ = false;
};

}  // namespace dkron::agent
