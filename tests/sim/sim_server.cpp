#include "sim_server.h"

#include "report.h"
#include "runner/report.h"

namespace dkron::sim {

SimServer::SimServer(Environment environment)
    : env_(std::move(environment)),
      loop_(env_.time),
      workers_(loop_, env_.random, env_.faults),
      groups_(env_.clock) {
  nodes_ = std::make_unique<SimNodes>(loop_, env_.random, env_.fleet, env_.spare, env_.on_dispatch);
  auto machine = state::Machine::open(env_.store, [this](state::Changes changes) {
    loop_.post([this, changes = std::make_shared<state::Changes>(std::move(changes))] {
      on_changes(*changes);
    });
  });
  if (!machine) fail_simulation("the state cannot be opened: " + machine.error().message);
  machine_ = std::move(*machine);
  raft_ = std::make_unique<SimRaft>(
      SimRaft::Environment{env_.time, loop_, env_.random, env_.faults, env_.log, env_.name,
                           [this] { office_->on_role_change(); }},
      *machine_);
  raft_->catch_up();
  launcher_ = std::make_unique<runner::Launcher>(services(), groups_);
  runner_ = std::make_unique<runner::Runner>(services(), groups_);
  office_ = std::make_unique<agent::Office>(agent::Office::Services{
      *raft_, services(), *launcher_, *runner_, [this] { env_.fleet.deliver(); },
      [] {}});
  if (auto loaded = state::load_index(env_.store.reader(), &index_); !loaded) {
    fail_simulation("the index cannot be loaded: " + loaded.error().message);
  }
  control_ = std::make_unique<agent::LeaderControl>(
      agent::LeaderControl::Services{services(),
                                     groups_,
                                     {},
                                     [this] { return office_->is_held(); },
                                     [this] { return env_.log.leader_name; }});
  loop_.post([this] { office_->on_role_change(); });
}

SimServer::~SimServer() {
  loop_.kill();
}

runner::Services SimServer::services() {
  const telemetry::Counter counter = metrics_.counter("sim", "Not looked at.");
  return runner::Services{loop_,
                          env_.clock,
                          workers_,
                          env_.store,
                          index_,
                          *nodes_,
                          [this](auto commands, auto callback, bool may_linger) {
                            raft_->propose(std::move(commands), std::move(callback), may_linger);
                          },
                          TimeZone::utc(),
                          env_.random,
                          runner::Counters{counter, counter, counter}};
}

void SimServer::on_changes(const state::Changes& changes) {
  for (const state::Change& change : changes) {
    std::visit([this](const auto& c) { on_change(c); }, change);
  }
}

void SimServer::on_change(const state::JobChanged& change) {
  index_.apply(change);
  launcher_->on_change(change);
}

void SimServer::on_change(const state::JobDeleted& change) {
  index_.apply(change);
  launcher_->on_change(change);
  control_->on_change(change);
}

void SimServer::report(std::uint64_t uid, model::Execution execution,
                       std::function<void(bool)> done) {
  raft_->propose(
      {runner::done_command(uid, std::move(execution), env_.clock.wall(), env_.random)},
      [done = std::move(done)](const Result<std::vector<raft::Outcome>>& outcomes) {
        done(outcomes.has_value());
      },
      true);
  if (launcher_->held_back() > 0) launcher_->pump();
}

void SimServer::report_start(std::uint64_t uid, const model::Execution& execution) {
  raft_->propose(
      {runner::started_command(uid, execution)}, [](const Result<std::vector<raft::Outcome>>&) {},
      true);
}

}  // namespace dkron::sim
