// NodeCalls and ServerCalls: what other nodes ask of this one, over gRPC.
//
// Thin: they know who does what. Main loop's thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/founder.h"
#include "agent/own_runs.h"
#include "agent/peer_table.h"
#include "agent/remote_runs.h"
#include "rpc/calls.h"
#include "rpc/client.h"
#include "runner/services.h"

namespace dkron::agent {

class NodeCalls final : public rpc::NodeService {
 public:
  // `leave` answers at once and takes the node down behind the answer.
  NodeCalls(OwnRuns& own, std::function<void(bool force, rpc::OnDone)> leave)
      : own_(own), leave_(std::move(leave)) {}
  void run(rpc::RunRequest request, std::shared_ptr<rpc::RunStream> stream) override {
    own_.order(std::move(request), std::move(stream));
  }
  void leave(bool force, rpc::OnDone done) override { leave_(force, std::move(done)); }

 private:
  OwnRuns& own_;
  std::function<void(bool, rpc::OnDone)> leave_;
};

class ServerCalls final : public rpc::ServerService {
 public:
  struct Services {
    std::string own_name;
    runner::Services runner;
    raft::Node& raft;
    const PeerTable& peers;
    rpc::Client& client;
    state::Control& local_control;
    state::Control& forwarding_control;
    OwnRuns& own;
    RemoteRuns& remote;
    Founder& founder;
    std::function<bool()> leads;                  // Holds office.
    std::function<std::string()> leader_address;  // See ForwardingControl.
    std::function<std::string()> why_no_leader;
    std::function<void(rpc::Adoption, rpc::OnDone)> adopt;
    std::function<Result<void>(const std::string& name)> forget_member;  // Gossip's force-leave.
  };
  explicit ServerCalls(Services services) : services_(std::move(services)) {}

  state::Control& control(bool is_forwarded) override {
    return is_forwarded ? services_.local_control : services_.forwarding_control;
  }
  void find_job(std::string name, state::OnJob done) override;
  void take_result(rpc::RunResult result, bool is_forwarded, OnResult done) override;
  void set_execution(model::Execution execution, rpc::OnDone done) override;
  std::vector<model::Execution> active_executions() override;
  rpc::RaftConfiguration raft_configuration() override;
  void remove_peer(std::string id, bool force, bool is_forwarded, rpc::OnDone done) override;
  void force_leave(std::string node_name, bool force, bool is_forwarded, rpc::OnDone done) override;
  void read_index(bool is_forwarded, OnIndex done) override;
  void transfer_leadership(std::string node_name, bool is_forwarded, rpc::OnDone done) override;
  void adopt(rpc::Adoption adoption, rpc::OnDone done) override {
    services_.adopt(std::move(adoption), std::move(done));
  }
  void promise(rpc::Founding founding, rpc::OnDone done) override {
    done(services_.founder.promise(founding));
  }

 private:
  Result<void> may_remove(const std::string& name) const;
  void propose_result(const rpc::RunResult& result, OnResult done);
  // Where a call goes that only the leader can do; an error when it may not be passed on.
  Result<std::string> leader(bool is_forwarded) const;

  Services services_;
};

}  // namespace dkron::agent
