// SimServer: one life of a server's process: the leader's code of src/ over simulated surroundings.
//
// Wired as agent/server.cpp wires it. Its store stays when the process dies; everything else goes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "agent/control.h"
#include "agent/office.h"
#include "sim_nodes.h"
#include "sim_raft.h"
#include "state/machine.h"
#include "store/memory_store.h"

namespace dkron::sim {

class SimServer final : public Headquarters {
 public:
  struct Environment {
    SimTime& time;
    Random& random;
    const SimClock& clock;
    const Faults& faults;
    Log& log;
    Fleet& fleet;
    store::MemoryStore& store;
    std::string name;
    std::uint64_t life = 1;
    std::size_t spare = 0;  // See SimNodes.
    SimNodes::OnDispatch on_dispatch;
  };
  explicit SimServer(Environment environment);
  ~SimServer() override;

  bool holds_office() const { return office_->is_held() && raft_->is_leader(); }
  // Results are proposed as soon as raft takes them.
  bool takes_results() const { return raft_->is_leader(); }
  agent::LeaderControl& control() { return *control_; }
  SimRaft& raft() { return *raft_; }
  SimLoop& loop() { return loop_; }
  state::Machine& machine() { return *machine_; }
  const state::JobIndex& index() const { return index_; }
  const runner::Launcher& launcher() const { return *launcher_; }
  const std::string& name() const { return env_.name; }

  std::uint64_t life() const override { return env_.life; }
  void report(std::uint64_t uid, model::Execution execution,
              std::function<void(bool)> done) override;
  void report_start(std::uint64_t uid, const model::Execution& execution) override;

 private:
  runner::Services services();
  void on_changes(const state::Changes& changes);
  void on_change(const state::JobChanged& change);
  void on_change(const state::JobDeleted& change);
  void on_change(const state::AttemptOpened& change) { runner_->on_change(change); }
  void on_change(const state::RetryScheduled& change) { runner_->on_change(change); }
  void on_change(const state::FollowUpOpened& change) { runner_->on_change(change); }
  void on_change(const state::AttemptFinished& change) { control_->on_change(change); }
  void on_change(const state::InstantsSkipped&) {}
  void on_change(const state::PauseChanged&) {}
  void on_change(const state::StateReplaced&) {}

  Environment env_;
  SimLoop loop_;
  SimWorkers workers_;
  telemetry::Metrics metrics_;
  state::JobIndex index_;
  runner::GroupIds groups_;
  std::unique_ptr<SimNodes> nodes_;
  std::unique_ptr<state::Machine> machine_;
  std::unique_ptr<SimRaft> raft_;
  std::unique_ptr<runner::Launcher> launcher_;
  std::unique_ptr<runner::Runner> runner_;
  std::unique_ptr<agent::Office> office_;
  std::unique_ptr<agent::LeaderControl> control_;
};

}  // namespace dkron::sim
