// What an Engine does in each turn of its loop: libraft has no callback for changes of state.
#include "base/log.h"
#include "raft/address.h"
#include "raft/engine_requests.h"
#include "raft/errors.h"

namespace dkron::raft {
namespace {

Status::Role role_of(struct raft& raft) {
  switch (raft_state(&raft)) {
    case RAFT_FOLLOWER: return Status::Role::Follower;
    case RAFT_CANDIDATE: return Status::Role::Candidate;
    case RAFT_LEADER: return Status::Role::Leader;
    default: return Status::Role::Unavailable;
  }
}

std::string leader_name_of(struct raft& raft) {
  raft_id id = 0;
  const char* address = nullptr;
  raft_leader(&raft, &id, &address);
  if (id == 0 || address == nullptr) return "";
  return split_server_address(address).node_name;
}

std::vector<Server> servers_of(const struct raft_configuration& configuration) {
  std::vector<Server> servers;
  for (unsigned i = 0; i < configuration.n; ++i) {
    const struct raft_server& server = configuration.servers[i];
    const NamedAddress named = split_server_address(server.address);
    servers.push_back({server.id, named.node_name, named.host_port, server.role == RAFT_VOTER});
  }
  return servers;
}

}  // namespace

// Both before and after the wait for events, since libraft works in either phase.
void Engine::start_turns() {
  uv_prepare_init(&loop_, &prepare_);
  uv_check_init(&loop_, &check_);
  uv_timer_init(&loop_, &linger_timer_);
  uv_timer_init(&loop_, &drain_timer_);
  uv_timer_init(&loop_, &stall_timer_);
  prepare_.data = check_.data = linger_timer_.data = drain_timer_.data = stall_timer_.data = this;
  uv_prepare_start(&prepare_, [](uv_prepare_t* handle) noexcept {
    static_cast<Engine*>(handle->data)->on_turn();
  });
  const auto period_ms = std::chrono::ceil<milliseconds>(stall_watch_.period()).count();
  uv_timer_start(
      &stall_timer_,
      [](uv_timer_t* timer) noexcept { static_cast<Engine*>(timer->data)->watch_stall(); },
      static_cast<std::uint64_t>(period_ms), static_cast<std::uint64_t>(period_ms));
  uv_check_start(
      &check_, [](uv_check_t* handle) noexcept { static_cast<Engine*>(handle->data)->on_turn(); });
}

void Engine::on_turn() {
  if ((!is_started_ && !fatal_) || is_closing_) return;
  if (!fatal_ && raft_state(&raft_) == RAFT_UNAVAILABLE) {
    set_fatal(start_error(RAFT_IOERR, raft_errmsg(&raft_), options_.directory));
  }
  if (fatal_) {
    report_fatal();
  } else {
    snapshots_.update();
    changes_.turn();
  }
  publish_status();
  changes_.flush();
}

void Engine::watch_stall() {
  const bool leads = is_started_ && !fatal_ && !is_closing_ && raft_state(&raft_) == RAFT_LEADER;
  if (!stall_watch_.turn(leads, system_clock().steady())) return;
  log::error(
      "raft: this server leads, but its main loop does not turn; the leadership goes to another",
      {{"waited", options_.stall_limit}});
  changes_.transfer_leadership("", [](const Result<void>& result) {
    if (!result) log::error("raft: the leadership stays here", {{"error", result.error()}});
  });
}

void Engine::report_fatal() {
  if (is_fatal_reported_) return;
  is_fatal_reported_ = true;
  fail_waiting(*refusal());
  // What is in flight may be in the log of others. Its requests stay with libraft until the end.
  for (const auto& request : in_flight_) {
    finish(request->slices,
           fail(ErrorCode::OutcomeUnknown, "this server stopped: " + fatal_->message));
    request->slices.clear();
  }
  if (options_.on_fatal) {
    options_.post([on_fatal = options_.on_fatal, error = *fatal_] { on_fatal(error); });
  }
}

Status Engine::read_status() const {
  Status now;
  if (!is_started_) {
    now.role = fatal_ ? Status::Role::Unavailable : Status::Role::Outside;
    return now;
  }
  auto& raft = const_cast<struct raft&>(raft_);  // Its readers take no const.
  now.role = fatal_ ? Status::Role::Unavailable : role_of(raft);
  now.term = raft_current_term(&raft);
  now.commit_index = raft_commit_index(&raft);
  now.applied_index = raft_last_applied(&raft);
  now.last_log_index = raft_last_index(&raft);
  now.last_snapshot_index = snapshots_.last_index();
  now.log_bytes = snapshots_.bytes_since_last();
  now.entries_in_flight = in_flight_.size();
  now.leader_name = fatal_ ? "" : leader_name_of(raft);
  now.has_leader = !now.leader_name.empty();
  now.configuration_index = raft.configuration_uncommitted_index != 0
                                ? raft.configuration_uncommitted_index
                                : raft.configuration_committed_index;
  if (now.role != Status::Role::Leader) return now;
  for (unsigned i = 0; i < raft.configuration.n; ++i) {
    const raft_id id = raft.configuration.servers[i].id;
    if (id == raft.id) continue;
    Status::Follower follower{id, 0, changes_.is_catching_up(id)};
    raft_index match_index = 0;
    raft_match_index(&raft, id, &match_index);
    follower.match_index = match_index;
    now.followers.push_back(follower);
  }
  return now;
}

void Engine::publish_status() {
  Status now = read_status();
  // A configuration is replaced, never changed in place without one of these moving.
  const ConfigurationStamp stamp = {raft_.configuration_committed_index,
                                    raft_.configuration_uncommitted_index, raft_.configuration.n};
  const bool is_new_configuration = stamp != configuration_stamp_;
  const bool is_event = now.role != status_.role || now.term != status_.term ||
                        now.leader_name != status_.leader_name || is_new_configuration;
  now.configuration = std::move(status_.configuration);
  if (is_new_configuration) now.configuration = servers_of(raft_.configuration);
  configuration_stamp_ = stamp;
  const bool is_change = is_event || now != status_;
  status_ = std::move(now);
  if (!is_change) return;
  shared_.status.set(status_);
  if (is_event && options_.on_change) options_.post(options_.on_change);
}

}  // namespace dkron::raft
