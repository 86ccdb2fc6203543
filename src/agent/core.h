// Core: what servers and agents have in common: their own runs, the members they see, the port and
// the calls to others.
//
// Opened in two steps, since a server's state stands between them: open_local() before anything of
// the network, open_network() when calls can be answered. Main loop's thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "agent/addresses.h"
#include "agent/daemon.h"
#include "agent/gossip_instruments.h"
#include "agent/membership.h"
#include "agent/own_runs.h"
#include "agent/peer_table.h"
#include "executor/executor.h"
#include "net/port.h"
#include "net/worker_pool.h"
#include "process/process.h"
#include "rpc/client.h"
#include "rpc/server.h"
#include "telemetry/metrics.h"

namespace dkron::agent {

class Core {
 public:
  Core(net::Loop& loop, DaemonOptions options, Addresses addresses);
  ~Core();

  using Deliver = std::function<void(rpc::RunResult, rpc::ServerService::OnResult)>;
  struct RunHooks {
    Deliver deliver;
    std::function<void(std::uint64_t uid, const model::Execution&)> on_started;  // May be null.
    std::function<void()> on_room;                                               // May be null.
    std::function<void(bool)> on_journal_stall;                                  // May be null.
  };
  Result<void> open_local(RunHooks hooks);

  struct NetworkHooks {
    rpc::NodeService* node = nullptr;
    rpc::ServerService* server = nullptr;  // Null on agents.
    net::Port::Handler raft;               // Null: none.
    std::function<std::map<std::string, std::string>()> tags;
    std::function<void(const std::string& member)> on_peer_change;
  };
  Result<void> open_network(NetworkHooks hooks);

  // The tags are told anew, as NetworkHooks::tags gives them.
  void refresh_tags();
  void reload(const config::Config& config);
  void dump_metrics();
  // Tells the others that this node takes no more runs, and waits until its own are settled, at
  // most config.drain_timeout; `drained` tells how many are left.
  void drain(std::function<void(std::size_t runs_left)> drained);

  net::Loop& loop() { return loop_; }
  const config::Config& config() const { return options_.config; }
  const DaemonOptions& options() const { return options_; }
  const Addresses& addresses() const { return addresses_; }
  net::WorkerPool& workers() { return *workers_; }
  telemetry::Metrics& metrics() { return metrics_; }
  GossipInstruments& gossip_instruments() { return gossip_instruments_; }
  OwnRuns& own_runs() { return *own_runs_; }
  const PeerTable& peers() const { return peers_; }
  rpc::Client& client() { return *client_; }
  Membership& membership() { return *membership_; }
  const net::TlsPtr& tls() const { return tls_; }
  std::map<std::string, executor::Executor*> executors();
  // Connects to the raft side of another server; any thread.
  void dial(const std::string& node_name, const std::string& known_address,
            std::function<void(Result<UniqueFd>)> done);

  // Ends the threads, whose tasks use what the owner destroys next.
  void stop_workers() { workers_.reset(); }
  void stop_network();

 private:
  Result<void> open_tls();
  Result<void> open_port();
  std::map<std::string, std::string> tags() const;
  void on_member_event(const gossip::MemberEvent& event);
  void keep_draining();

  net::Loop& loop_;
  DaemonOptions options_;
  Addresses addresses_;
  UniqueFd lock_;
  std::optional<net::WorkerPool> workers_;
  telemetry::Metrics metrics_;
  GossipInstruments gossip_instruments_;
  process::Spawner spawner_;
  std::unique_ptr<executor::Executor> shell_;
  std::unique_ptr<executor::Executor> http_executor_;
  PeerTable peers_;
  net::TlsPtr tls_;
  std::unique_ptr<rpc::Client> client_;
  std::unique_ptr<OwnRuns> own_runs_;
  NetworkHooks network_;
  std::unique_ptr<rpc::Server> rpc_;
  std::unique_ptr<net::Port> port_;
  std::unique_ptr<Membership> membership_;

  bool is_draining_ = false;  // Shown in the tags.
  std::unique_ptr<net::Timer> drain_timer_;
  Duration settle_until_{0};
  Duration drain_until_{0};
  Duration drain_logged_{0};
  std::function<void(std::size_t)> drained_;
};

}  // namespace dkron::agent
