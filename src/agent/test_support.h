// What the tests of the cluster's parts share: a loop with its own time, peers by hand, and other
// nodes that answer when the test says so.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "agent/peer_table.h"
#include "rpc/client.h"
#include "runner/test_support.h"

namespace dkron::agent::testing_support {

using runner::testing_support::ManualClock;
using runner::testing_support::ManualLoop;

inline gossip::Member member(const std::string& name, gossip::Tags more = {}) {
  gossip::Member member;
  member.name = name;
  member.status = gossip::MemberStatus::Alive;
  gossip::Tags tags = {{"role", "dkron"},
                       {"region", "global"},
                       {"rpc_addr", name + ":6868"},
                       {std::string(kLedgerTag), "1"}};
  for (auto& [key, value] : more) tags[key] = value;
  member.meta = gossip::encode_tags(tags);
  return member;
}

inline gossip::Member without_tag(gossip::Member member, std::string_view key) {
  gossip::Tags tags = member.tags();
  tags.erase(std::string(key));
  member.meta = gossip::encode_tags(tags);
  return member;
}

inline gossip::Member server(const std::string& name, const std::string& cluster_id = {},
                             int expect = 0) {
  gossip::Tags tags = {{"server", "true"}};
  if (!cluster_id.empty()) tags[std::string(kClusterIdTag)] = cluster_id;
  if (expect != 0) tags["expect"] = std::to_string(expect);
  return member(name, tags);
}

inline gossip::Member failed(gossip::Member member) {
  member.status = gossip::MemberStatus::Failed;
  return member;
}

// Keeps every call until the test answers it.
class FakeClient final : public rpc::Client {
 public:
  struct Run {
    std::string address;
    rpc::RunRequest request;
    RunHandlers handlers;
    bool is_open = true;
  };
  using Calls = std::deque<std::pair<std::string, rpc::OnDone>>;  // Address, answer.

  std::deque<std::shared_ptr<Run>> runs;
  Calls adoptions;
  Calls promises;
  Calls deletions;

  void set_tls(Options::Tls) override {}
  void set_job(const std::string&, model::Job, state::SetJobOptions, state::OnJob) override {}
  void delete_job(const std::string& to, std::string, rpc::OnDone done) override {
    deletions.emplace_back(to, std::move(done));
  }
  void toggle_job(const std::string&, std::string, state::ToggleWish, state::OnJob) override {}
  void delete_executions(const std::string&, std::string, rpc::OnDone) override {}
  void set_paused(const std::string&, bool, rpc::OnDone) override {}
  void run_job(const std::string&, std::string, state::RunOptions, state::Control::OnRun) override {
  }
  void deliver_result(const std::string&, rpc::RunResult, rpc::ServerService::OnResult) override {}
  void active_executions(const std::string&, Duration, OnExecutions) override {}
  void raft_configuration(const std::string&, OnConfiguration) override {}
  void remove_peer(const std::string&, std::string, bool, rpc::OnDone) override {}
  void force_leave(const std::string&, std::string, bool, rpc::OnDone) override {}
  void read_index(const std::string&, rpc::ServerService::OnIndex) override {}
  void transfer_leadership(const std::string&, std::string, rpc::OnDone) override {}
  void leave(const std::string&, bool, rpc::OnDone) override {}
  void adopt(const std::string& to, rpc::Adoption, rpc::OnDone done) override {
    adoptions.emplace_back(to, std::move(done));
  }
  void promise(const std::string& to, rpc::Founding, rpc::OnDone done) override {
    promises.emplace_back(to, std::move(done));
  }
  std::unique_ptr<rpc::RemoteRun> run(const std::string& to, rpc::RunRequest request,
                                      RunHandlers handlers) override {
    auto run = std::make_shared<Run>(Run{to, std::move(request), std::move(handlers)});
    runs.push_back(run);
    class Handle final : public rpc::RemoteRun {
     public:
      explicit Handle(std::shared_ptr<Run> run) : run_(std::move(run)) {}
      ~Handle() override { run_->is_open = false; }

     private:
      std::shared_ptr<Run> run_;
    };
    return std::make_unique<Handle>(run);
  }
};

}  // namespace dkron::agent::testing_support
