#include "sim_nodes.h"

#include <algorithm>

#include "report.h"
#include "runner/launcher.h"

namespace dkron::sim {

Fleet::Fleet(SimTime& time, Random& random, const Clock& clock, std::size_t nodes,
             std::size_t limit)
    : time_(time), random_(random), clock_(clock), nodes_(nodes), limit_(limit) {
  for (std::size_t i = 0; i < nodes; ++i) {
    nodes_[i].name = std::string("node") + static_cast<char>('1' + i);
    nodes_[i].pace = microseconds(200);
  }
  tick();
}

std::vector<std::string> Fleet::names() const {
  std::vector<std::string> names;
  for (const Node& node : nodes_) names.push_back(node.name);
  return names;
}

bool Fleet::order(const Order& order) {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    Node& node = nodes_[i];
    if (node.name != order.node) continue;
    if (!node.up) return false;
    if (node.runs.try_emplace(order.key, Run{order, Phase::Waiting, {}, {}, false, false, 0})
            .second) {
      node.queue.push_back(order.key);
      ++waiting_;
      count_waiting(order);
      start_next(i);
    }
    return true;
  }
  fail_simulation("an attempt was handed to " + order.node + ", which is no node");
}

void Fleet::count_waiting(const Order& order) {
  most_waiting_ = std::max(most_waiting_, waiting_);
  if (!order.is_first_of_scheduled()) return;
  if (++scheduled_waiting_ > limit_) {
    fail_simulation(std::to_string(scheduled_waiting_) + " scheduled runs wait for a process");
  }
}

void Fleet::start_next(std::size_t i) {
  Node& node = nodes_[i];
  if (!node.up || node.is_starting || node.queue_at == node.queue.size()) return;
  node.is_starting = true;
  time_.after(node.pace, [this, i, boot = node.boot] {
    Node& own = nodes_[i];
    if (own.boot != boot) return;
    own.is_starting = false;
    launch(i, own.runs.at(own.queue[own.queue_at++]));
    start_next(i);
  });
}

void Fleet::launch(std::size_t i, Run& run) {
  if (run.phase != Phase::Waiting) fail_simulation("a node started a run twice");
  --waiting_;
  if (run.order.is_first_of_scheduled()) --scheduled_waiting_;
  ++active_;
  ++started_;
  run.phase = Phase::Running;
  run.started_at = clock_.wall();
  const Duration run_time = any_run_time();
  if (run_time > milliseconds(200)) {
    if (Headquarters* headquarters = find_headquarters()) {
      headquarters->report_start(run.order.key.uid, describe(nodes_[i], run));
    }
  }
  time_.after(run_time, [this, i, boot = nodes_[i].boot, key = run.order.key] {
    if (nodes_[i].boot == boot) finish(i, key, happens(random_, 850), false);
  });
}

Duration Fleet::any_run_time() {
  const std::uint64_t kind = random_.below(100);
  if (kind < 70) return any_duration(random_, milliseconds(2), milliseconds(300));
  if (kind < 97) return any_duration(random_, milliseconds(300), seconds(6));
  return any_duration(random_, seconds(6), seconds(90));
}

void Fleet::finish(std::size_t i, const RunKey& key, bool success, bool lost) {
  Run& run = nodes_[i].runs.at(key);
  run.phase = Phase::Finished;
  run.finished_at = clock_.wall();
  run.success = success;
  run.lost = lost;
  if (lost) ++lost_;
  nodes_[i].open.push_back(key);
  if (Headquarters* headquarters = find_headquarters(); headquarters != nullptr && nodes_[i].up) {
    deliver(i, run, *headquarters);
  }
}

void Fleet::crash(std::size_t i) {
  Node& node = nodes_[i];
  node.up = false;
  ++node.boot;
  node.is_starting = false;
  for (auto& [key, run] : node.runs) {
    if (run.phase == Phase::Running) finish(i, key, false, true);
    run.delivering_to = 0;
  }
}

void Fleet::start(std::size_t i) {
  nodes_[i].up = true;
  start_next(i);
  deliver(i);
}

void Fleet::start_all() {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (!nodes_[i].up) start(i);
  }
}

void Fleet::tick() {
  time_.after(kAgain, [this] {
    deliver();
    tick();
  });
}

void Fleet::deliver() {
  for (std::size_t i = 0; i < nodes_.size(); ++i) deliver(i);
}

void Fleet::deliver(std::size_t i) {
  Headquarters* headquarters = find_headquarters();
  if (headquarters == nullptr || !nodes_[i].up) return;
  Node& node = nodes_[i];
  const auto done = [&](const RunKey& key) {
    return node.runs.at(key).phase == Phase::Acknowledged;
  };
  node.open.erase(std::remove_if(node.open.begin(), node.open.end(), done), node.open.end());
  for (const RunKey& key : node.open) deliver(i, node.runs.at(key), *headquarters);
}

void Fleet::deliver(std::size_t i, Run& run, Headquarters& headquarters) {
  if (run.delivering_to == headquarters.life()) return;
  run.delivering_to = headquarters.life();
  headquarters.report(run.order.key.uid, describe(nodes_[i], run),
                      [this, i, key = run.order.key, life = headquarters.life()](bool is_settled) {
                        Run& own = nodes_[i].runs.at(key);
                        if (own.delivering_to == life) own.delivering_to = 0;
                        if (!is_settled || own.phase == Phase::Acknowledged) return;
                        own.phase = Phase::Acknowledged;
                        --active_;
                      });
}

model::Execution Fleet::describe(const Node& node, const Run& run) {
  model::Execution e;
  e.job_name = run.order.job_name;
  e.node_name = node.name;
  e.group = run.order.key.group;
  e.attempt = run.order.key.attempt;
  e.scheduled_at = run.order.scheduled_at;
  e.started_at = run.started_at;
  e.finished_at = run.finished_at;
  e.success = run.success;
  e.lost = run.lost;
  return e;
}

// ---- SimNodes

std::vector<std::string> SimNodes::select(const std::optional<model::StringMap>& tags) {
  const auto names = fleet_.names();
  if (tags) {
    const auto on = tags->find("on");
    if (on != tags->end() && on->second == "none") return {};
    if (on != tags->end() && on->second == "all") return names;
  }
  return {names[random_.below(names.size())]};
}

void SimNodes::dispatch(const state::AttemptOpened& attempt) {
  on_dispatch_(attempt);
  ++under_way_;
  send(Order{{attempt.job->uid, attempt.group, attempt.attempt},
             attempt.node,
             attempt.job->name,
             attempt.scheduled_at});
}

void SimNodes::send(const Order& order) {
  loop_.run_elsewhere(any_duration(random_, microseconds(50), milliseconds(5)), [this, order] {
    if (fleet_.order(order)) {
      --under_way_;
      return;
    }
    loop_.run_elsewhere(Fleet::kAgain, [this, order] { send(order); });
  });
}

// The launcher's limit is large; a small fleet pretends that most of it is taken.
std::size_t SimNodes::waiting() const {
  return runner::Launcher::kWaitingLimit - spare_ + really_waiting();
}

}  // namespace dkron::sim
