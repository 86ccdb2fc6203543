// How a server goes: leadership first, then its runs, its vote, its membership, its port.
#include <algorithm>

#include "agent/server_daemon.h"
#include "agent/voters.h"
#include "base/log.h"

namespace dkron::agent {
namespace {

constexpr Duration kHandOverLimit = seconds(5);
constexpr Duration kGiveUpVoteLimit = seconds(8);
constexpr Duration kCloseLimit = seconds(3);

// Runs the first of its calls only.
std::function<void()> once(std::function<void()> task) {
  return [task = std::make_shared<std::function<void()>>(std::move(task))] {
    if (const auto first = std::exchange(*task, nullptr)) first();
  };
}

}  // namespace

// Answered first; the process goes behind the answer.
void ServerDaemon::leave(bool force, rpc::OnDone done) {
  auto allowed = force ? Result<void>() : may_leave();
  if (allowed) {
    log::info("agent: Called member stop, now stopping");
    core_.loop().post([this] { core_.options().on_leave(); });
  }
  done(std::move(allowed));
}

Result<void> ServerDaemon::may_leave() const {
  const raft::Status status = raft_->status();
  const std::string& name = config().node_name;
  const bool votes =
      std::any_of(status.configuration.begin(), status.configuration.end(),
                  [&name](const raft::Server& s) { return s.node_name == name && s.is_voter; });
  const Voters others = count_voters(status, core_.peers(), name, name);
  if (!votes || others.total == 0 || others.have_majority()) return {};
  return fail(ErrorCode::Conflict, "the cluster would lose its quorum: of the other " +
                                       std::to_string(others.total) + " voting servers " +
                                       std::to_string(others.alive) +
                                       " are alive; bring them back or remove the dead ones first");
}

void ServerDaemon::stop(Stop how, std::function<void(std::size_t)> stopped) {
  if (std::exchange(is_stopping_, true)) return;
  how_ = how;
  stopped_ = std::move(stopped);
  founder_->stop();
  hand_over();
}

// Another leader launches what is due from now on, before this server's own runs have ended.
void ServerDaemon::hand_over() {
  control_->refuse_new();
  const auto next = once([this] {
    stop_timer_->cancel();
    office_->stop_launching();
    core_.drain([this](std::size_t left) {
      runs_left_ = left;
      give_up_vote();
    });
  });
  const raft::Status status = raft_->status();
  const std::string& name = config().node_name;
  const Voters others = count_voters(status, core_.peers(), name, name);
  if (status.role != raft::Status::Role::Leader || others.alive == 0) return next();
  log::info("dkron: handing leadership over");
  stop_timer_->start(kHandOverLimit, next);
  raft_->transfer_leadership("", [next](const Result<void>& transferred) {
    if (!transferred) {
      log::warning("dkron: no other server took the leadership", {{"error", transferred.error()}});
    }
    next();
  });
}

void ServerDaemon::give_up_vote() {
  const auto next = once([this] {
    stop_timer_->cancel();
    tell_leave();
  });
  const std::string leader = leader_address();
  if (how_ == Stop::Pause || leader.empty()) return next();
  stop_timer_->start(kGiveUpVoteLimit, next);
  core_.client().remove_peer(leader, config().node_name, true, [next](const Result<void>& removed) {
    if (!removed) {
      log::warning("dkron: this server's vote was not given up; the leader takes it away later",
                   {{"error", removed.error()}});
    }
    next();
  });
}

// Who goes for good says so in its tags: the leader then takes its vote away, should it still have
// one.
void ServerDaemon::tell_leave() {
  if (how_ == Stop::Leave) {
    leaves_for_good_ = true;
    core_.refresh_tags();
  }
  wind_down();
}

// The other members hear of it, and clients get the answers that they wait for.
void ServerDaemon::wind_down() {
  control_->give_up_waiting();
  open_parts_ = 2;
  const auto part_closed = [this] {
    if (--open_parts_ == 0) close();
  };
  core_.membership().leave(part_closed);
  // A client that does not read its answer must not hold the process.
  const auto http_closed = once(part_closed);
  stop_timer_->start(kCloseLimit, http_closed);
  http_->stop(http_closed);
}

void ServerDaemon::close_raft() {
  if (store_ != nullptr) store_->stop_waiting();
  if (raft_ != nullptr) raft_->close();
}

void ServerDaemon::close() {
  stop_timer_->cancel();
  const auto stopped = std::exchange(stopped_, nullptr);
  if (!stopped) return;
  core_.stop_network();
  close_raft();
  stopped(runs_left_);
}

}  // namespace dkron::agent
