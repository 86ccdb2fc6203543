#include "agent/node_calls.h"

#include <algorithm>

#include "agent/voters.h"
#include "base/log.h"
#include "runner/report.h"
#include "state/views.h"

namespace dkron::agent {

using rpc::OnDone;

Result<std::string> ServerCalls::leader(bool is_forwarded) const {
  if (is_forwarded) return fail(ErrorCode::Unavailable, std::string(rpc::kNotTheLeader));
  std::string address = services_.leader_address();
  if (address.empty()) return fail(ErrorCode::Unavailable, services_.why_no_leader());
  return address;
}

void ServerCalls::find_job(std::string name, state::OnJob done) {
  auto shared = std::make_shared<state::OnJob>(std::move(done));
  const bool accepted = services_.runner.workers.try_post(
      [name, shared, &store = services_.runner.store, post = services_.runner.loop.poster()] {
        auto job = state::find_job(store.reader(), name);
        post([shared, name, job = std::move(job)]() mutable {
          if (!job) {
            (*shared)(fail(job.error()));
          } else if (!*job) {
            (*shared)(fail(ErrorCode::NotFound, "not found"));
          } else {
            (*shared)(std::move(**job));
          }
        });
      });
  if (!accepted) (*shared)(fail(ErrorCode::Overloaded, "too many requests wait for the store"));
}

// ---- Results of runs

void ServerCalls::take_result(rpc::RunResult result, bool is_forwarded, OnResult done) {
  if (!services_.leads()) {
    const auto address = leader(is_forwarded);
    if (!address) return done(fail(address.error()));
    services_.client.deliver_result(*address, std::move(result),
                                    [done = std::move(done)](Result<rpc::RunResultAnswer> answer) {
                                      if (answer) answer->was_forwarded = true;
                                      done(std::move(answer));
                                    });
    return;
  }
  // A node of the original knows its job by the name only.
  if (result.uid == 0) {
    state::JobRef job;
    if (!services_.runner.index.find(result.execution.job_name, &job)) {
      return done(fail(ErrorCode::NotFound, "not found"));
    }
    result.uid = job.uid;
  }
  propose_result(result, std::move(done));
}

void ServerCalls::propose_result(const rpc::RunResult& result, OnResult done) {
  services_.runner.propose(
      {runner::done_command(result.uid, result.execution, services_.runner.clock.wall(),
                            services_.runner.random)},
      [name = services_.own_name,
       done = std::move(done)](const Result<std::vector<raft::Outcome>>& outcomes) {
        if (!outcomes) return done(fail(outcomes.error()));
        const raft::Outcome& outcome = outcomes->front();
        if (outcome.code != ErrorCode::Ok) return done(fail(outcome.code, outcome.message));
        done(rpc::RunResultAnswer{name, "saved"});
      },
      true);
}

// From a leader of the original; ours record the start by themselves.
void ServerCalls::set_execution(model::Execution execution, OnDone done) {
  state::JobRef job;
  if (!services_.leads())
    return done(fail(ErrorCode::Unavailable, std::string(rpc::kNotTheLeader)));
  if (!services_.runner.index.find(execution.job_name, &job)) {
    return done(fail(ErrorCode::NotFound, "not found"));
  }
  services_.runner.propose(
      {runner::started_command(job.uid, execution)},
      [done = std::move(done)](const auto& outcomes) {
        done(outcomes ? Result<void>() : fail(outcomes.error()));
      },
      true);
}

std::vector<model::Execution> ServerCalls::active_executions() {
  std::vector<model::Execution> active = services_.own.runs().running();
  const auto remote = services_.remote.running();
  active.insert(active.end(), remote.begin(), remote.end());
  return active;
}

// ---- The group

rpc::RaftConfiguration ServerCalls::raft_configuration() {
  const raft::Status status = services_.raft.status();
  rpc::RaftConfiguration configuration;
  configuration.index = status.configuration_index;
  configuration.answered_by = services_.own_name;
  if (!status.has_leader) configuration.why_no_leader = services_.why_no_leader();
  for (const raft::Server& server : status.configuration) {
    const Peer* peer = services_.peers.find(server.node_name);
    rpc::RaftServer row;
    row.id = server.node_name;
    row.node_name = peer != nullptr ? server.node_name : "(unknown)";
    row.address = services_.peers.rpc_address(server.node_name, server.address);
    row.is_leader = status.has_leader && server.node_name == status.leader_name;
    row.is_voter = server.is_voter;
    row.protocol = "unknown";
    if (peer != nullptr) row.member_status = gossip::to_string(peer->status);
    for (const raft::Status::Follower& follower : status.followers) {
      if (follower.id == server.id) {
        row.lag_entries =
            status.last_log_index - std::min(follower.match_index, status.last_log_index);
      }
    }
    configuration.servers.push_back(std::move(row));
  }
  return configuration;
}

// What one would regret: a server that is alive comes back at once, and without a majority nothing
// can be committed any more, this removal included.
Result<void> ServerCalls::may_remove(const std::string& name) const {
  if (services_.peers.is_alive(name) || name == services_.own_name) {
    return fail(ErrorCode::Conflict, "the server " + name +
                                         " is alive and would be added again: let it leave, or "
                                         "stop it first");
  }
  const Voters rest =
      count_voters(services_.raft.status(), services_.peers, services_.own_name, name);
  if (rest.have_majority()) return {};
  return fail(ErrorCode::Conflict, "the quorum is at risk: of the " + std::to_string(rest.total) +
                                       " voting servers that stay " + std::to_string(rest.alive) +
                                       " are alive");
}

void ServerCalls::remove_peer(std::string id, bool force, bool is_forwarded, OnDone done) {
  if (!services_.leads()) {
    const auto address = leader(is_forwarded);
    if (!address) return done(fail(address.error()));
    services_.client.remove_peer(*address, std::move(id), force, std::move(done));
    return;
  }
  const raft::Status status = services_.raft.status();
  const auto server = std::find_if(status.configuration.begin(), status.configuration.end(),
                                   [&id](const raft::Server& s) { return s.node_name == id; });
  if (server == status.configuration.end()) {
    return done(
        fail(ErrorCode::NotFound, "id \"" + id + "\" was not found in the Raft configuration"));
  }
  if (auto allowed = may_remove(id); !allowed && !force) return done(std::move(allowed));
  const Peer* peer = services_.peers.find(id);
  // It may not come back by itself, so it is told to go. This server itself goes by leave().
  const std::string alive_at =
      peer != nullptr && peer->is_alive() && id != services_.own_name ? peer->rpc_address : "";
  services_.raft.remove_server(
      server->id, [this, id, alive_at, done = std::move(done)](const Result<void>& removed) {
        if (removed) log::warning("removed Raft peer", {{"peer", id}});
        if (removed && !alive_at.empty()) {
          services_.client.leave(alive_at, true, [](const Result<void>&) {});
        }
        done(removed);
      });
}

void ServerCalls::force_leave(std::string node_name, bool force, bool is_forwarded, OnDone done) {
  if (!services_.leads()) {
    const auto address = leader(is_forwarded);
    if (!address) return done(fail(address.error()));
    services_.client.force_leave(*address, std::move(node_name), force, std::move(done));
    return;
  }
  if (services_.peers.is_alive(node_name)) {
    return done(fail(ErrorCode::Conflict, "the node " + node_name +
                                              " is alive: let it leave by itself (dkron leave "
                                              "--rpc-addr)"));
  }
  const auto forget = [this, node_name, done](const Result<void>& removed) {
    const bool was_no_server = !removed && removed.error().code == ErrorCode::NotFound;
    if (!removed && !was_no_server) return done(removed);
    auto forgotten = services_.forget_member(node_name);
    done(was_no_server ? std::move(forgotten) : Result<void>());
  };
  remove_peer(node_name, force, true, forget);
}

void ServerCalls::read_index(bool is_forwarded, OnIndex done) {
  if (!services_.leads()) {
    const auto address = leader(is_forwarded);
    if (!address) return done(fail(address.error()));
    services_.client.read_index(*address, std::move(done));
    return;
  }
  services_.raft.barrier([this, done = std::move(done)](const Result<void>& reached) {
    if (!reached) return done(fail(reached.error()));
    done(services_.raft.status().applied_index);
  });
}

void ServerCalls::transfer_leadership(std::string node_name, bool is_forwarded, OnDone done) {
  if (services_.leads()) {
    services_.raft.transfer_leadership(std::move(node_name), std::move(done));
    return;
  }
  const auto address = leader(is_forwarded);
  if (!address) return done(fail(address.error()));
  services_.client.transfer_leadership(*address, std::move(node_name), std::move(done));
}

}  // namespace dkron::agent
