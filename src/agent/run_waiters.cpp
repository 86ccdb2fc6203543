#include "agent/run_waiters.h"

#include <utility>
#include <vector>

#include "base/assert.h"

namespace dkron::agent {

void RunWaiters::add(state::StartedRun run, OnRun done) {
  DK_ASSERT(!is_full());
  const std::int64_t group = run.group;
  const bool is_new = waiting_.emplace(group, Waiter{std::move(run), std::move(done)}).second;
  DK_ASSERT(is_new);
}

void RunWaiters::refuse(std::int64_t group, const Error& error) {
  const auto waiter = waiting_.find(group);
  if (waiter == waiting_.end()) return;
  const OnRun done = std::move(waiter->second.done);
  waiting_.erase(waiter);
  done(fail(error));
}

void RunWaiters::give_up() {
  for (auto& [group, waiter] : std::exchange(waiting_, {})) {
    waiter.done(fail(ErrorCode::Unavailable,
                     waiter.uid == 0 ? "the server is shutting down; the run may still happen"
                                     : "the server is shutting down; the run goes on"));
  }
}

void RunWaiters::on_change(const state::AttemptOpened& change) {
  const auto waiter = waiting_.find(change.group);
  if (waiter != waiting_.end()) waiter->second.uid = change.job->uid;
}

void RunWaiters::on_change(const state::AttemptFinished& change) {
  if (!change.run_complete) return;
  const auto waiter = waiting_.find(change.execution.group);
  if (waiter != waiting_.end()) end(waiter);
}

// Its runs are forgotten with it. A waiter whose run is not known yet may be of a job that comes
// under the same name: its outcome decides.
void RunWaiters::on_change(const state::JobDeleted& change) {
  for (auto next = waiting_.begin(); next != waiting_.end();) {
    const auto waiter = next++;
    if (waiter->second.uid == change.uid) end(waiter);
  }
}

void RunWaiters::end(Waiting::iterator waiter) {
  const OnRun done = std::move(waiter->second.done);
  state::StartedRun run = std::move(waiter->second.run);
  waiting_.erase(waiter);
  done(std::move(run));
}

}  // namespace dkron::agent
