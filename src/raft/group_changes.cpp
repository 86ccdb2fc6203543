#include "raft/group_changes.h"

#include <algorithm>

#include "base/log.h"
#include "raft/address.h"
#include "raft/errors.h"

namespace dkron::raft {
namespace {

Error not_leader() {
  return refused_error(RAFT_NOTLEADER);
}

std::string name_of(const struct raft_server& server) {
  return split_server_address(server.address).node_name;
}

Error change_error(int status) {
  switch (status) {
    case RAFT_NOTLEADER: return not_leader();
    case RAFT_NOSPACE: return refused_error(status);
    case RAFT_NOCONNECTION:
      return {ErrorCode::Unavailable, "the server did not catch up in time; try again"};
    case RAFT_DUPLICATEID:
    case RAFT_DUPLICATEADDRESS:
      return {ErrorCode::Conflict, "another server has the same raft id or address"};
    case RAFT_BADID:
    case RAFT_NOTFOUND: return {ErrorCode::NotFound, "there is no such server in the group"};
    default: return lost_error(status);
  }
}

}  // namespace

struct GroupChanges::Change {
  Kind kind = Kind::Add;
  std::uint64_t id = 0;
  std::string node_name;
  std::string address;
  Node::OnDone done;

  bool is_begun = false;     // libraft has a request of it, or had one.
  bool is_waiting = false;   // For libraft's callback.
  bool must_repeat = false;  // libraft was busy.
  Duration transferred_at{0};
  struct raft_change change = {};
  struct raft_transfer transfer = {};
};

struct GroupChanges::Promotion {
  std::uint64_t id = 0;
  std::string node_name;
  Node::OnDone done;
  bool has_barrier = false;       // One was written after the order,
  std::uint64_t target = 0;       // at this index, which is to be acknowledged; 0: not known yet.
  std::uint64_t match_index = 0;  // As seen last.
  Duration progressed_at{0};      // Steady time.
};

struct GroupChanges::Barrier {
  GroupChanges* owner = nullptr;
  std::uint64_t term = 0;
  struct raft_barrier request = {};
};

GroupChanges::GroupChanges(struct raft& raft, Post post) : raft_(raft), post_(std::move(post)) {}
GroupChanges::~GroupChanges() = default;

// ---- Orders

void GroupChanges::add_server(std::string node_name, std::string address, Node::OnDone done) {
  auto change = std::make_unique<Change>();
  change->kind = Kind::Add;
  change->id = server_id(node_name);
  change->node_name = std::move(node_name);
  change->address = std::move(address);
  change->done = std::move(done);
  push(std::move(change));
}

void GroupChanges::remove_server(std::uint64_t id, Node::OnDone done) {
  auto change = std::make_unique<Change>();
  change->kind = Kind::Remove;
  change->id = id;
  change->done = std::move(done);
  push(std::move(change));
}

void GroupChanges::transfer_leadership(std::string node_name, Node::OnDone done) {
  auto change = std::make_unique<Change>();
  change->kind = Kind::Transfer;
  change->id = node_name.empty() ? 0 : server_id(node_name);
  change->node_name = std::move(node_name);
  change->done = std::move(done);
  push(std::move(change));
}

void GroupChanges::promote(std::string node_name, Node::OnDone done) {
  if (!leads()) return answer(done, fail(not_leader()));
  if (promotions_.size() >= Node::kWaitingChanges) {
    return answer(done, fail(ErrorCode::Overloaded, "too many servers are being promoted"));
  }
  auto promotion = std::make_unique<Promotion>();
  promotion->id = server_id(node_name);
  promotion->node_name = std::move(node_name);
  promotion->done = std::move(done);
  promotion->progressed_at = system_clock().steady();
  promotions_.push_back(std::move(promotion));
}

void GroupChanges::push(std::unique_ptr<Change> change) {
  if (!leads()) return answer(change->done, fail(not_leader()));
  if (queue_.size() >= Node::kWaitingChanges) {
    return answer(change->done, fail(ErrorCode::Overloaded, "too many changes of the group wait"));
  }
  queue_.push_back(std::move(change));
}

// ---- Turns

bool GroupChanges::leads() const {
  return raft_state(&raft_) == RAFT_LEADER;
}

const struct raft_server* GroupChanges::find_server(std::uint64_t id) const {
  for (unsigned i = 0; i < raft_.configuration.n; ++i) {
    if (raft_.configuration.servers[i].id == id) return &raft_.configuration.servers[i];
  }
  return nullptr;
}

bool GroupChanges::is_catching_up(std::uint64_t id) const {
  const bool is_current = current_ && current_->kind == Kind::Promote && current_->id == id;
  return is_current || std::any_of(promotions_.begin(), promotions_.end(),
                                   [&](const auto& promotion) { return promotion->id == id; });
}

void GroupChanges::on_contact(std::uint64_t id) {
  contacts_[id] = system_clock().steady();
}

void GroupChanges::turn() {
  if (current_ && current_->kind == Kind::Transfer) watch_transfer();
  if (!leads()) {
    fail_waiting(not_leader());
    return;
  }
  if (current_ && current_->must_repeat) step();
  advance_promotions();
  advance();
}

void GroupChanges::fail_waiting(const Error& error) {
  for (const auto& change : std::exchange(queue_, {})) answer(change->done, fail(error));
  for (const auto& promotion : std::exchange(promotions_, {})) answer(promotion->done, fail(error));
  if (current_ && !current_->is_waiting && current_->transferred_at == Duration(0)) {
    finish_current(fail(current_->is_begun ? lost_error(RAFT_LEADERSHIPLOST) : error));
  }
}

void GroupChanges::close(const Error& error) {
  fail_waiting(error);
  if (current_ && !current_->is_waiting) finish_current(fail(lost_error(RAFT_LEADERSHIPLOST)));
}

void GroupChanges::advance() {
  while (!current_ && !queue_.empty()) {
    if (raft_transferee(&raft_) != 0 || !is_settled()) return;
    current_ = std::move(queue_.front());
    queue_.pop_front();
    step();
  }
}

bool GroupChanges::is_settled() {
  if (settled_term_ != raft_current_term(&raft_)) {
    if (!barrier_) start_barrier();
    return false;
  }
  return raft_.configuration_uncommitted_index == 0;
}

void GroupChanges::start_barrier() {
  barrier_ = std::make_unique<Barrier>();
  barrier_->owner = this;
  barrier_->term = raft_current_term(&raft_);
  barrier_->request.data = barrier_.get();
  const auto on_done = [](struct raft_barrier* done, int status) noexcept {
    static_cast<Barrier*>(done->data)->owner->on_barrier(status);
  };
  // Refused: full disk, or a transfer of leadership; another turn asks again.
  if (raft_barrier(&raft_, &barrier_->request, on_done) != 0) {
    barrier_.reset();
    return;
  }
  for (const auto& promotion : promotions_) promotion->has_barrier = true;
}

void GroupChanges::on_barrier(int status) {
  const std::unique_ptr<Barrier> done = std::move(barrier_);
  if (status == 0) settled_term_ = done->term;
  for (const auto& promotion : promotions_) {
    if (promotion->target != 0 || !promotion->has_barrier) continue;
    promotion->target = status == 0 ? done->request.index : 0;
    promotion->has_barrier = status == 0;
  }
}

// ---- Promotions that wait for their server

void GroupChanges::advance_promotions() {
  const bool needs_barrier = std::any_of(promotions_.begin(), promotions_.end(),
                                         [](const auto& p) { return !p->has_barrier; });
  if (needs_barrier && !barrier_) start_barrier();
  std::vector<std::unique_ptr<Promotion>> left;
  for (auto& promotion : std::exchange(promotions_, {})) {
    const auto result = advance_promotion(*promotion);
    if (!result) {
      left.push_back(std::move(promotion));
    } else if (!*result) {
      answer(promotion->done, *result);
    } else {
      auto change = std::make_unique<Change>();
      change->kind = Kind::Promote;
      change->id = promotion->id;
      change->node_name = std::move(promotion->node_name);
      change->done = std::move(promotion->done);
      queue_.push_back(std::move(change));
    }
  }
  promotions_ = std::move(left);
}

std::optional<Result<void>> GroupChanges::advance_promotion(Promotion& promotion) {
  const struct raft_server* server = find_server(promotion.id);
  // It may be about to be added, by a change that was ordered before.
  if (server == nullptr && !current_ && queue_.empty()) {
    return fail(ErrorCode::NotFound, promotion.node_name + " is no server of the group");
  }
  if (server == nullptr) return std::nullopt;
  if (server->role == RAFT_VOTER) return Result<void>();
  const Duration now = system_clock().steady();
  raft_index match_index = 0;
  raft_match_index(&raft_, promotion.id, &match_index);
  if (match_index > promotion.match_index) {
    promotion.match_index = match_index;
    promotion.progressed_at = now;
  }
  if (promotion.target != 0 && match_index >= promotion.target) return Result<void>();
  if (now - promotion.progressed_at < kCatchUpPause) return std::nullopt;
  return fail(ErrorCode::Unavailable, promotion.node_name + " makes no progress (it has entry " +
                                          std::to_string(match_index) + " of " +
                                          std::to_string(raft_last_index(&raft_)) + "); try again");
}

// ---- The change under way

void GroupChanges::step() {
  Change& change = *current_;
  change.must_repeat = false;
  change.change.data = change.transfer.data = this;
  int status = 0;
  switch (change.kind) {
    case Kind::Add: status = step_add(); break;
    case Kind::Promote: status = step_promote(); break;
    case Kind::Remove: status = step_remove(); break;
    case Kind::Transfer: status = step_transfer(); break;
  }
  if (!current_ || change.is_waiting) return;
  if (status == RAFT_CANTCHANGE) {
    change.must_repeat = true;
  } else {
    on_step(status == RAFT_BADROLE ? 0 : status);
  }
}

// Each of them calls libraft, which then calls back; or finishes the change; or returns a code.
int GroupChanges::step_add() {
  Change& change = *current_;
  const auto on_done = [](struct raft_change* done, int status) noexcept {
    static_cast<GroupChanges*>(done->data)->on_step(status);
  };
  const struct raft_server* server = find_server(change.id);
  int status = 0;
  if (server == nullptr) {
    const std::string address = server_address(change.node_name, change.address);
    status = raft_add(&raft_, &change.change, change.id, address.c_str(), on_done);
  } else if (name_of(*server) != change.node_name) {
    finish_current(fail(ErrorCode::Conflict,
                        "the raft id of " + change.node_name + " is taken by " + name_of(*server)));
    return 0;
  } else if (server->role == RAFT_SPARE) {
    status = raft_assign(&raft_, &change.change, change.id, RAFT_STANDBY, on_done);
  } else {
    finish_current({});
    return 0;
  }
  change.is_waiting = status == 0;
  return status;
}

int GroupChanges::step_promote() {
  const auto on_done = [](struct raft_change* done, int status) noexcept {
    static_cast<GroupChanges*>(done->data)->on_step(status);
  };
  const int status = raft_assign(&raft_, &current_->change, current_->id, RAFT_VOTER, on_done);
  current_->is_waiting = status == 0;
  return status;
}

int GroupChanges::step_remove() {
  if (auto error = check_remove(current_->id)) {
    finish_current(fail(*error));
    return 0;
  }
  const auto on_done = [](struct raft_change* done, int status) noexcept {
    static_cast<GroupChanges*>(done->data)->on_step(status);
  };
  const int status = raft_remove(&raft_, &current_->change, current_->id, on_done);
  current_->is_waiting = status == 0;
  return status;
}

std::optional<Error> GroupChanges::check_remove(std::uint64_t id) const {
  const struct raft_server* server = find_server(id);
  if (server == nullptr) {
    return Error{ErrorCode::NotFound, "there is no server " + std::to_string(id) + " in the group"};
  }
  unsigned other_voters = 0;
  for (unsigned i = 0; i < raft_.configuration.n; ++i) {
    const struct raft_server& other = raft_.configuration.servers[i];
    if (other.role == RAFT_VOTER && other.id != id) ++other_voters;
  }
  if (other_voters > 0) return std::nullopt;
  return Error{ErrorCode::Conflict,
               "removing " + name_of(*server) + " would leave the group without a voter"};
}

int GroupChanges::step_transfer() {
  Change& change = *current_;
  if (auto error = choose_successor(change)) {
    finish_current(fail(*error));
    return 0;
  }
  const auto on_done = [](struct raft_transfer* done) noexcept {
    auto* self = static_cast<GroupChanges*>(done->data);
    self->current_->is_waiting = false;
    self->current_->transferred_at = system_clock().steady();
  };
  log::info("raft leadership is handed over", {{"to", change.node_name}});
  const int status = raft_transfer(&raft_, &change.transfer, change.id, on_done);
  change.is_waiting = status == 0;
  return status;
}

std::optional<Error> GroupChanges::choose_successor(Change& change) const {
  if (change.id != 0) {
    const struct raft_server* server = find_server(change.id);
    if (server == nullptr) {
      return Error{ErrorCode::NotFound, change.node_name + " is no server of the group"};
    }
    if (change.id == raft_.id) {
      return Error{ErrorCode::InvalidArgument, change.node_name + " leads already"};
    }
    if (server->role == RAFT_VOTER) return std::nullopt;
    return Error{ErrorCode::Conflict, change.node_name + " has no vote, so it cannot lead"};
  }
  // Of those that were heard of within an election timeout, the one with the longest log.
  const Duration since = system_clock().steady() - milliseconds(raft_.election_timeout);
  raft_index best = 0;
  for (unsigned i = 0; i < raft_.configuration.n; ++i) {
    const struct raft_server& server = raft_.configuration.servers[i];
    const auto contact = contacts_.find(server.id);
    if (server.role != RAFT_VOTER || server.id == raft_.id || contact == contacts_.end() ||
        contact->second < since) {
      continue;
    }
    raft_index match_index = 0;
    raft_match_index(&raft_, server.id, &match_index);
    if (change.id != 0 && match_index <= best) continue;
    best = match_index;
    change.id = server.id;
    change.node_name = name_of(server);
  }
  if (change.id != 0) return std::nullopt;
  return Error{ErrorCode::Unavailable, "there is no other voter to lead"};
}

// One step of the change has ended; an addition may have another.
void GroupChanges::on_step(int status) {
  current_->is_waiting = false;
  current_->is_begun = true;
  if (status != 0) return finish_current(fail(change_error(status)));
  if (current_->kind != Kind::Add) return finish_current({});
  current_->must_repeat = true;  // In the next turn, since libraft is inside of its callback.
}

// libraft calls back when the transfer has ended, not how. It has worked out when another leads.
void GroupChanges::watch_transfer() {
  const Change& change = *current_;
  if (change.transferred_at == Duration(0)) return;
  if (leads()) {
    finish_current(fail(ErrorCode::Unavailable,
                        change.node_name + " did not take over; this server leads on"));
    return;
  }
  raft_id leader = 0;
  const char* address = nullptr;
  raft_leader(&raft_, &leader, &address);
  if (leader != 0) return finish_current({});
  const Duration waited = system_clock().steady() - change.transferred_at;
  if (waited < milliseconds(raft_.election_timeout) * kTransferLimit) return;
  finish_current(fail(ErrorCode::OutcomeUnknown, "this server leads no longer, but no other does"));
}

void GroupChanges::finish_current(const Result<void>& result) {
  answer(current_->done, result);
  current_.reset();
}

void GroupChanges::answer(const Node::OnDone& done, const Result<void>& result) {
  if (done) answers_.push_back([done, result] { done(result); });
}

void GroupChanges::flush() {
  for (Task& answer : std::exchange(answers_, {})) post_(std::move(answer));
}

}  // namespace dkron::raft
