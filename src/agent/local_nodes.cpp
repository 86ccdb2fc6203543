#include "agent/local_nodes.h"

#include <algorithm>

#include "base/log.h"
#include "base/random.h"
#include "runner/report.h"

namespace dkron::agent {

Result<std::unique_ptr<LocalNodes>> LocalNodes::open(Options options) {
  std::unique_ptr<LocalNodes> nodes(new LocalNodes(std::move(options)));
  LocalNodes* self = nodes.get();
  node::NodeRuns::Callbacks callbacks;
  callbacks.on_started = [self](const node::RunKey& key, Instant at) { self->on_started(key, at); };
  callbacks.on_finished = [self](const node::RunKey& key, model::Execution execution) {
    self->on_finished(key, std::move(execution));
  };
  callbacks.on_room = [self] { self->tell_room(); };
  callbacks.on_stall = self->options_.on_journal_stall;
  auto runs = node::NodeRuns::open(self->options_.environment, std::move(callbacks));
  if (!runs) return fail(runs.error());
  self->runs_ = std::move(*runs);
  self->again_timer_ = self->options_.environment.loop.make_timer();
  return nodes;
}

void LocalNodes::resume() {
  runs_->resume();
}

// The rule of spec engine 5.3 for one candidate.
std::vector<std::string> LocalNodes::select(const std::optional<model::StringMap>& tags) {
  if (tags) {
    for (const auto& [key, value] : *tags) {
      const auto filter = model::parse_tag_filter(value);
      const auto own = options_.tags.find(key);
      if (!filter || own == options_.tags.end() || own->second != filter->value) return {};
      if (filter->count && *filter->count == 0) return {};
    }
  }
  return {options_.environment.node_name};
}

void LocalNodes::dispatch(const state::AttemptOpened& attempt) {
  node::RunOrder order;
  order.key = {attempt.job->uid, attempt.group, attempt.attempt};
  order.job_name = attempt.job->name;
  order.executor = attempt.job->executor;
  if (attempt.job->executor_config) order.config = *attempt.job->executor_config;
  order.fence = attempt.fence;
  order.scheduled_at = attempt.scheduled_at;
  runs_->start(std::move(order));
}

void LocalNodes::on_started(const node::RunKey& key, Instant started_at) {
  model::Execution execution;
  execution.node_name = options_.environment.node_name;
  execution.group = key.group;
  execution.attempt = key.attempt;
  execution.started_at = started_at;
  // A start that is not recorded is only not shown; the result tells it again.
  options_.propose(
      {runner::started_command(key.uid, execution)},
      [](const Result<std::vector<raft::Outcome>>&) {}, true);
}

void LocalNodes::on_finished(const node::RunKey& key, model::Execution execution) {
  options_.propose(
      {runner::done_command(key.uid, std::move(execution), options_.environment.clock.wall(),
                            system_random())},
      [this, key](const Result<std::vector<raft::Outcome>>& outcomes) {
        if (!outcomes) {
          propose_again_later();
          return;
        }
        const raft::Outcome& outcome = outcomes->front();
        if (outcome.code != ErrorCode::Ok) log::warning(outcome.message);
        runs_->acknowledge(key);
      },
      true);
}

// From inside a run's start or end: once per turn of the loop, and not on its stack.
void LocalNodes::tell_room() {
  if (std::exchange(is_room_told_, true)) return;
  options_.environment.loop.post([this] {
    is_room_told_ = false;
    options_.on_room();
  });
}

void LocalNodes::propose_again_later() {
  if (again_armed_) return;
  again_armed_ = true;
  again_timer_->start(kAgain, [this] {
    again_armed_ = false;
    runs_->redeliver();
  });
}

}  // namespace dkron::agent
