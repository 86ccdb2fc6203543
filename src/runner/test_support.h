// What the tests of runner/ share: a leader's surroundings that do nothing until they are told to.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "runner/services.h"
#include "state/test_support.h"

namespace dkron::runner::testing_support {

using state::testing_support::at;
using state::testing_support::Bench;
using state::testing_support::job_named;
using state::testing_support::kStart;

class ManualClock final : public Clock {
 public:
  Instant wall() const override { return wall_now; }
  Duration steady() const override { return steady_now; }
  Instant wall_now = at(kStart);
  Duration steady_now{0};
};

// Runs its tasks and due timers when it is told to.
class ManualLoop final : public TaskLoop {
 public:
  explicit ManualLoop(ManualClock& clock) : clock_(clock) {}
  void post(Task task) override { tasks_.push_back(std::move(task)); }
  Post poster() override {
    return [this](Task task) { post(std::move(task)); };
  }
  std::unique_ptr<Timer> make_timer() override { return std::make_unique<ManualTimer>(*this); }

  void run() {
    for (;;) {
      if (!tasks_.empty()) {
        Task task = std::move(tasks_.front());
        tasks_.pop_front();
        task();
        continue;
      }
      if (timers_.empty() || timers_.begin()->first.first > clock_.steady_now) return;
      Task task = std::move(timers_.begin()->second);
      timers_.erase(timers_.begin());
      task();
    }
  }
  // Lets time pass on both clocks, then runs what is due.
  void pass(Duration time) {
    clock_.steady_now += time;
    clock_.wall_now = clock_.wall_now + time;
    run();
  }

 private:
  using Id = std::pair<Duration, std::uint64_t>;
  class ManualTimer final : public Timer {
   public:
    explicit ManualTimer(ManualLoop& loop) : loop_(loop) {}
    ~ManualTimer() override { cancel(); }
    void start(Duration delay, Task callback) override {
      cancel();
      id_ = {loop_.clock_.steady_now + delay, ++loop_.numbers_};
      loop_.timers_.emplace(id_, std::move(callback));
    }
    void cancel() override { loop_.timers_.erase(id_); }

   private:
    ManualLoop& loop_;
    Id id_{};
  };

  ManualClock& clock_;
  std::deque<Task> tasks_;
  std::map<Id, Task> timers_;
  std::uint64_t numbers_ = 0;
};

class ManualWorkers final : public Workers {
 public:
  bool try_post(Task task) override {
    if (is_busy) return false;
    tasks.push_back(std::move(task));
    return true;
  }
  bool is_busy = false;
  std::deque<Task> tasks;
};

class RecordingNodes final : public Nodes {
 public:
  std::vector<std::string> select(const std::optional<model::StringMap>&) override {
    return {"n1"};
  }
  void dispatch(const state::AttemptOpened& attempt) override { dispatched.push_back(attempt); }
  std::size_t waiting() const override { return 0; }
  std::vector<state::AttemptOpened> dispatched;
};

struct Proposal {
  std::vector<raft::Command> commands;
  raft::ProposeCallback callback;
};

class Leader {
 public:
  Services services() {
    const telemetry::Counter counter = metrics_.counter("test", "Not looked at.");
    return Services{loop,
                    clock,
                    workers,
                    bench.store,
                    index,
                    nodes,
                    [this](auto commands, auto callback, bool) {
                      proposals.push_back({std::move(commands), std::move(callback)});
                    },
                    TimeZone::utc(),
                    random_,
                    Counters{counter, counter, counter}};
  }
  // One task of the workers, and what follows on the loop.
  void work() {
    ASSERT_FALSE(workers.tasks.empty());
    const Task task = std::move(workers.tasks.front());
    workers.tasks.pop_front();
    task();
    loop.run();
  }
  // Puts the oldest proposal into the log, and tells its outcome.
  void commit() {
    ASSERT_FALSE(proposals.empty());
    Proposal proposal = std::move(proposals.front());
    proposals.pop_front();
    proposal.callback(bench.try_apply(proposal.commands));
    loop.run();
  }
  void refuse() {
    ASSERT_FALSE(proposals.empty());
    Proposal proposal = std::move(proposals.front());
    proposals.pop_front();
    proposal.callback(fail(ErrorCode::Unavailable, "not the leader"));
    loop.run();
  }

  ManualClock clock;
  ManualLoop loop{clock};
  ManualWorkers workers;
  RecordingNodes nodes;
  Bench bench;
  state::JobIndex index;
  std::deque<Proposal> proposals;

 private:
  SeededRandom random_{1};
  telemetry::Metrics metrics_;
};

}  // namespace dkron::runner::testing_support
