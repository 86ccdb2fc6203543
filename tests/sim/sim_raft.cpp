#include "sim_raft.h"

#include <algorithm>

#include "report.h"

namespace dkron::sim {

std::vector<raft::CommandView> views_of(const Entry& entry) {
  std::vector<raft::CommandView> views;
  for (const raft::Command& c : entry.commands)
    views.push_back({c.kind, c.version, c.request_id, c.payload});
  return views;
}

bool same_outcomes(const std::vector<raft::Outcome>& a, const std::vector<raft::Outcome>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const raft::Outcome& x, const raft::Outcome& y) {
                      return x.code == y.code && x.message == y.message && x.payload == y.payload;
                    });
}

void SimRaft::win() {
  catch_up();
  term_ = env_.log.term;
  role_ = raft::Status::Role::Leader;
  env_.loop.post([this] { env_.on_role_change(); });
}

void SimRaft::surrender() {
  std::uint64_t kept = env_.random.below(in_flight_.size() + 1);
  for (const Flight& flight : in_flight_) {
    if (kept-- == 0) break;
    env_.log.append(to_entry(flight));
  }
}

void SimRaft::learn_of_loss() {
  role_ = raft::Status::Role::Follower;
  for (Flight& flight : in_flight_) {
    for (Proposal& p : flight.proposals) answer(std::move(p.callback), ErrorCode::OutcomeUnknown);
  }
  in_flight_.clear();
  for (Proposal& p : waiting_) {
    answer(std::move(p.callback),
           happens(env_.random, 500) ? ErrorCode::OutcomeUnknown : ErrorCode::Unavailable);
  }
  waiting_.clear();
  for (auto& barrier : barriers_) {
    env_.loop.post([callback = std::move(barrier)] {
      callback(fail(ErrorCode::OutcomeUnknown, "leadership lost"));
    });
  }
  barriers_.clear();
  env_.loop.post([this] { env_.on_role_change(); });
  catch_up();
}

void SimRaft::catch_up() {
  // Whoever is not told yet that it lost gets nothing of the new leader.
  if (is_leader() && !is_real_leader()) return;
  while (machine_.applied_index() < env_.log.size()) {
    const std::uint64_t index = machine_.applied_index() + 1;
    const Entry& entry = env_.log.entries[index - 1];
    auto outcomes = machine_.apply(index, views_of(entry));
    if (!outcomes)
      fail_simulation("entry " + std::to_string(index) +
                      " cannot be applied: " + outcomes.error().message);
    if (!same_outcomes(*outcomes, entry.outcomes)) {
      fail_simulation(env_.name + " sees another outcome of entry " + std::to_string(index));
    }
    machine_.publish();
  }
}

void SimRaft::answer(raft::ProposeCallback callback, ErrorCode code) {
  env_.loop.post([callback = std::move(callback), code] { callback(fail(code, "simulated")); });
}

void SimRaft::refuse(OnDone done) {
  env_.loop.post([done = std::move(done)] { done(fail(ErrorCode::Unavailable, "simulated")); });
}

void SimRaft::propose(std::vector<raft::Command> commands, raft::ProposeCallback callback,
                      bool may_linger) {
  if (!is_leader() || happens(env_.random, env_.faults.unavailable_permille)) {
    answer(std::move(callback), ErrorCode::Unavailable);
    return;
  }
  if (happens(env_.random, env_.faults.overloaded_permille)) {
    answer(std::move(callback), ErrorCode::Overloaded);
    return;
  }
  waiting_.push_back({std::move(commands), std::move(callback)});
  if (waiting_.size() > 1) return;
  const Duration pause = may_linger ? kLinger : microseconds(10);
  env_.loop.run_elsewhere(any_duration(env_.random, Duration(0), pause), [this] { fly(); });
}

// Everything that waits becomes one entry, in order.
void SimRaft::fly() {
  if (waiting_.empty() || !is_real_leader() || in_flight_.size() >= kEntriesInFlight) return;
  in_flight_.push_back(Flight{std::move(waiting_)});
  waiting_.clear();
  const Duration latency =
      any_duration(env_.random, microseconds(300), env_.faults.commit_latency * 10);
  lands_at_ = std::max(lands_at_, env_.time.now() + latency);
  env_.loop.run_elsewhere(lands_at_ - env_.time.now(), [this, term = term_] {
    if (term == term_) land();
  });
}

void SimRaft::land() {
  if (!is_real_leader() || in_flight_.empty()) return;
  const Flight flight = std::move(in_flight_.front());
  in_flight_.pop_front();
  env_.log.append(to_entry(flight));
  catch_up();
  answer_outcomes(flight, env_.log.entries.back().outcomes);
  fly();
}

Entry SimRaft::to_entry(const Flight& flight) {
  Entry entry;
  for (const Proposal& p : flight.proposals) {
    entry.commands.insert(entry.commands.end(), p.commands.begin(), p.commands.end());
  }
  return entry;
}

void SimRaft::answer_outcomes(const Flight& flight, const std::vector<raft::Outcome>& outcomes) {
  auto from = outcomes.begin();
  for (const Proposal& p : flight.proposals) {
    const auto to = from + static_cast<std::ptrdiff_t>(p.commands.size());
    env_.loop.post(
        [callback = p.callback, own = std::vector<raft::Outcome>(from, to)] { callback(own); });
    from = to;
  }
}

void SimRaft::barrier(std::function<void(Result<void>)> callback) {
  if (!is_leader()) {
    env_.loop.post([callback] { callback(fail(ErrorCode::Unavailable, "not the leader")); });
    return;
  }
  barriers_.push_back(std::move(callback));
  env_.loop.run_elsewhere(any_duration(env_.random, milliseconds(1), milliseconds(50)), [this] {
    if (!is_real_leader()) return;
    for (auto& barrier : barriers_) {
      env_.loop.post([reached = std::move(barrier)] { reached({}); });
    }
    barriers_.clear();
  });
}

raft::Status SimRaft::status() const {
  raft::Status status;
  status.role = role_;
  status.term = is_leader() ? term_ : env_.log.term;
  status.commit_index = env_.log.size();
  status.applied_index = machine_.applied_index();
  status.leader_name = is_leader() ? env_.name : env_.log.leader_name;
  return status;
}

}  // namespace dkron::sim
