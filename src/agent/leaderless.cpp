#include "agent/leaderless.h"

#include <algorithm>

#include "agent/voters.h"
#include "base/log.h"

namespace dkron::agent {
namespace {

std::string gone_text(const PeerTable& peers, const raft::Server& server, Duration now) {
  const Peer* peer = peers.find(server.node_name);
  std::string text = server.node_name + " (" + server.address + ") ";
  if (peer == nullptr) return text + "has not been seen since this server started";
  text += "is " + std::string(gossip::to_string(peer->status));
  const Duration gone = now - peer->gone_since;
  return text + " for " + format_duration(gone - gone % seconds(1));
}

}  // namespace

std::string why_no_leader(const raft::Status& status, const PeerTable& peers,
                          const std::string& own_name, Duration now) {
  if (status.role == raft::Status::Role::Outside) {
    return "no leader: this server is part of no cluster yet; it waits for " +
           std::string("bootstrap-expect servers, or to be added by a leader");
  }
  if (status.configuration.empty()) {
    return "no leader: this server has been told its cluster and waits for the leader's log";
  }
  const bool is_listed =
      std::any_of(status.configuration.begin(), status.configuration.end(),
                  [&own_name](const raft::Server& s) { return s.node_name == own_name; });
  if (!is_listed) return "no leader: this server is not part of the raft group any more";
  const Voters voters = count_voters(status, peers, own_name);
  std::string text = "no leader: " + std::to_string(voters.total / 2 + 1) + " of " +
                     std::to_string(voters.total) + " voting servers are needed, " +
                     std::to_string(voters.alive) + " are there";
  if (voters.have_majority()) return text + "; an election is under way";
  std::string missing;
  for (const raft::Server& server : voters.missing) {
    missing += (missing.empty() ? "" : ", ") + gone_text(peers, server, now);
  }
  return text + "; missing: " + missing;
}

Leaderless::Leaderless(Services services)
    : services_(std::move(services)), timer_(services_.loop.make_timer()) {}

void Leaderless::start() {
  since_ = services_.clock.steady();
  look();
}

void Leaderless::look() {
  timer_->start(kLookEvery, [this] { look(); });
  const raft::Status status = services_.raft.status();
  const Duration now = services_.clock.steady();
  if (status.has_leader) {
    if (said_at_) log::info("dkron: there is a leader again", {{"leader", status.leader_name}});
    since_.reset();
    said_at_.reset();
    had_leader_ = true;
    return;
  }
  if (!since_) since_ = now;
  if (now - *since_ <= kElectionLimit) return;
  const Voters voters = count_voters(status, services_.peers, services_.own_name);
  std::set<std::string> missing;
  for (const raft::Server& server : voters.missing) missing.insert(server.node_name);
  if (said_at_ && now - *said_at_ < kSayEvery && missing == said_missing_) return;
  said_at_ = now;
  said_missing_ = std::move(missing);
  log::warning("dkron: " + why_no_leader(status, services_.peers, services_.own_name, now));
}

bool Leaderless::is_leader_near() const {
  if (services_.raft.status().has_leader || !since_) return true;
  return had_leader_ && services_.clock.steady() - *since_ <= kElectionLimit;
}

std::string Leaderless::why() const {
  return why_no_leader(services_.raft.status(), services_.peers, services_.own_name,
                       services_.clock.steady());
}

}  // namespace dkron::agent
