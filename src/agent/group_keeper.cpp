#include "agent/group_keeper.h"

#include <algorithm>

#include "agent/voters.h"
#include "base/log.h"

namespace dkron::agent {
namespace {

using Kind = GroupStep::Kind;

std::string_view word(Kind kind) {
  switch (kind) {
    case Kind::Remove: return "remove";
    case Kind::Adopt: return "adopt";
    case Kind::Add: return "add";
    case Kind::Promote: return "promote";
  }
  return "";
}

const raft::Server* find_server(const raft::Status& status, const std::string& name) {
  for (const raft::Server& server : status.configuration) {
    if (server.node_name == name) return &server;
  }
  return nullptr;
}

std::optional<GroupStep> removal(const GroupView& view, const raft::Server& server) {
  if (server.node_name == view.own_name) return std::nullopt;
  const Peer* peer = view.peers.find(server.node_name);
  GroupStep step{Kind::Remove, server.node_name, {}, server.id, {}};
  if (peer != nullptr && peer->is_alive()) {
    if (!peer->is_server || !peer->cluster_id.empty() || !peer->has_journal) return std::nullopt;
    step.reason = "it came back without its data";
    return step;
  }
  if (peer != nullptr && peer->leaves_for_good) {
    step.reason = "it left the cluster";
    return step;
  }
  const Duration since = peer != nullptr ? peer->gone_since : view.in_office_since;
  const bool is_dead =
      view.dead_server_limit != Duration(0) && view.now - since >= view.dead_server_limit;
  if (!is_dead) return std::nullopt;
  // The servers that are alive must be able to decide alone once it is out.
  const Voters rest = count_voters(view.raft, view.peers, view.own_name, server.node_name);
  if (server.is_voter && !rest.have_majority()) return std::nullopt;
  step.reason = "it has been gone for " + format_duration(view.now - since);
  return step;
}

std::optional<GroupStep> admission(const GroupView& view, const Peer& peer) {
  if (peer.name == view.own_name || !peer.has_journal) return std::nullopt;
  const raft::Server* known = find_server(view.raft, peer.name);
  if (peer.cluster_id.empty()) {
    if (known != nullptr) return std::nullopt;  // Removed first.
    return GroupStep{Kind::Adopt, peer.name, peer.rpc_address, 0, {}};
  }
  if (peer.cluster_id != view.cluster_id) return std::nullopt;
  if (known == nullptr) return GroupStep{Kind::Add, peer.name, peer.rpc_address, 0, {}};
  if (!known->is_voter) return GroupStep{Kind::Promote, peer.name, {}, known->id, {}};
  return std::nullopt;
}

}  // namespace

std::optional<GroupStep> next_step(const GroupView& view,
                                   const std::function<bool(const std::string&)>& skip) {
  for (const raft::Server& server : view.raft.configuration) {
    if (skip(server.node_name)) continue;
    if (auto step = removal(view, server)) return step;
  }
  for (const Peer* peer : view.peers.alive_servers()) {
    if (skip(peer->name)) continue;
    if (auto step = admission(view, *peer)) return step;
  }
  return std::nullopt;
}

GroupKeeper::GroupKeeper(Services services)
    : services_(std::move(services)), look_timer_(services_.loop.make_timer()) {}

void GroupKeeper::start() {
  running_ = true;
  in_office_since_ = services_.clock.steady();
  look();
}

void GroupKeeper::stop() {
  running_ = false;
  is_busy_ = false;
  ++tenure_;
  pauses_.clear();
  look_timer_->cancel();
}

void GroupKeeper::look() {
  if (!running_ || is_busy_) return;
  report_strangers();
  const raft::Status status = services_.raft.status();
  const Duration now = services_.clock.steady();
  const GroupView view{status,
                       services_.peers,
                       services_.own_name,
                       std::to_string(services_.raft.identity().cluster_id),
                       now,
                       in_office_since_,
                       services_.dead_server_limit};
  const auto step = next_step(view, [this, now](const std::string& name) {
    const auto pause = pauses_.find(name);
    return pause != pauses_.end() && pause->second.until > now;
  });
  if (step) {
    perform(*step);
  } else {
    look_later(kLookEvery);
  }
}

void GroupKeeper::look_later(Duration delay) {
  look_timer_->start(delay, [this] { look(); });
}

void GroupKeeper::perform(const GroupStep& step) {
  is_busy_ = true;
  auto done = [this, step, tenure = tenure_](const Result<void>& result) {
    if (tenure == tenure_) on_done(step, result);
  };
  switch (step.kind) {
    case Kind::Remove:
      log::info("dkron: removing server by ID", {{"server", step.server}, {"reason", step.reason}});
      services_.raft.remove_server(step.id, std::move(done));
      return;
    case Kind::Adopt: {
      const raft::Identity identity = services_.raft.identity();
      services_.client.adopt(step.address,
                             {identity.cluster_id, identity.recovery_epoch, services_.own_name},
                             std::move(done));
      return;
    }
    case Kind::Add:
      log::info("dkron: adding a server to the group",
                {{"server", step.server}, {"address", step.address}});
      services_.raft.add_server(step.server, step.address, std::move(done));
      return;
    case Kind::Promote: services_.raft.promote(step.server, std::move(done)); return;
  }
}

void GroupKeeper::on_done(const GroupStep& step, const Result<void>& done) {
  is_busy_ = false;
  if (done) {
    if (step.kind == Kind::Promote)
      log::info("dkron: a server votes now", {{"server", step.server}});
    // An adopted server tells of it by its tags; the next step follows from that.
    if (step.kind == Kind::Adopt) {
      pauses_[step.server] = {services_.clock.steady() + kAgain, kAgain};
    } else {
      pauses_.erase(step.server);
    }
  } else {
    Pause& pause = pauses_[step.server];
    pause.length = pause.length == Duration(0) ? kAgain : std::min(pause.length * 2, kAgainLimit);
    pause.until = services_.clock.steady() + pause.length;
    log::warning(
        "dkron: failed to reconcile",
        {{"step", std::string(word(step.kind))}, {"server", step.server}, {"error", done.error()}});
  }
  // Not on this stack: the outcome may have come at once.
  look_later(done ? Duration(0) : kAgain);
}

// They speak another raft protocol, so they can be no part of the group; as agents they are
// welcome.
void GroupKeeper::report_strangers() {
  for (const Peer* peer : services_.peers.alive_servers()) {
    if (peer->has_journal || !strangers_.insert(peer->name).second) continue;
    log::error("dkron: a server of another product cannot be part of the group",
               {{"server", peer->name}, {"address", peer->rpc_address}});
  }
}

}  // namespace dkron::agent
