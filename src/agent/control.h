// LeaderControl: what clients ask of the cluster, turned into proposals (implements
// state::Control).
//
// What depends on clocks, zones, chance or this node is decided here and written into the command
// (activations, targets, group ids); the state machine decides the rest. A command whose outcome is
// unknown is proposed again under the same request id until kAgainFor has passed; one that has no
// outcome by then is answered with OutcomeUnknown. Main loop's thread.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/run_waiters.h"
#include "executor/executor.h"
#include "runner/services.h"
#include "state/control.h"
#include "store.pb.h"

namespace dkron::agent {

class LeaderControl final : public state::Control {
 public:
  static constexpr Duration kAgainFor = seconds(10);
  static constexpr Duration kAgainPause = milliseconds(100);
  // Of a toggle that edits of the same job overtake.
  static constexpr int kToggleTries = 5;

  struct Services {
    runner::Services runner;
    runner::GroupIds& groups;
    std::map<std::string, executor::Executor*> executors;
    std::function<bool()> is_leader;  // Has taken office.
    std::function<std::string()> leader_name;
  };
  explicit LeaderControl(Services services)
      : services_(std::move(services)), give_up_timer_(services_.runner.loop.make_timer()) {}

  void set_job(model::Job job, state::SetJobOptions options, state::OnJob done) override;
  void delete_job(std::string name, state::OnDone done) override;
  void toggle_job(std::string name, state::ToggleWish wish, state::OnJob done) override;
  void delete_executions(std::string name, state::OnDone done) override;
  void set_paused(bool paused, state::OnDone done) override;
  void run_job(std::string name, state::RunOptions options, OnRun done) override;
  bool is_leader() const override { return services_.is_leader(); }
  std::string leader_name() const override { return services_.leader_name(); }

  // What people should know of an accepted job, each a part of a sentence: as in the original a job
  // may name an executor or processors that are not there.
  std::vector<std::string> warnings(const model::Job& job) const;

  // No more commands are taken: the server is going down. Those under way are answered.
  void refuse_new() { is_stopping_ = true; }
  // Answers those who wait for the end of a run.
  void give_up_waiting() { waiters_.give_up(); }

  // For those who wait for the end of a run.
  void on_change(const state::AttemptOpened& change) { waiters_.on_change(change); }
  void on_change(const state::AttemptFinished& change) { waiters_.on_change(change); }
  void on_change(const state::JobDeleted& change) { waiters_.on_change(change); }

 private:
  using OnOutcome = std::function<void(Result<raft::Outcome>)>;
  using OnFound = std::function<void(Result<std::optional<model::Job>>)>;

  Result<void> admit() const;
  Result<void> validate(const model::Job& job) const;
  void propose_job(const model::Job& job, const store::Overdue& overdue,
                   const state::SetJobOptions& options, state::OnJob done);
  void toggle_job(const std::string& name, state::ToggleWish wish, int tries, state::OnJob done);
  store::Overdue find_overdue(const model::Job& stored, Instant now) const;
  void read_job(const std::string& name, OnFound callback);
  void run_job(model::Job job, const state::RunOptions& options, OnRun done);
  void propose(raft::Command command, OnOutcome callback);
  struct Pending;
  void propose_pending(const std::shared_ptr<Pending>& pending);
  static void answer(Pending& pending, Result<raft::Outcome> outcome);
  void arm_give_up();
  void give_up_overdue();
  void propose_void(raft::Command command, state::OnDone done);
  void propose_for_job(raft::Command command, const std::string& name, state::OnJob done);

  Services services_;
  bool is_stopping_ = false;
  std::deque<std::shared_ptr<Pending>> pending_;  // In the order of giving up; some are answered.
  std::unique_ptr<Timer> give_up_timer_;
  RunWaiters waiters_;
};

}  // namespace dkron::agent
