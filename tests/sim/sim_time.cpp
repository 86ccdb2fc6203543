#include "sim_time.h"

#include <algorithm>

#include "report.h"

namespace dkron::sim {

SimTime::Id SimTime::after(Duration delay, Task task) {
  const Id id{now_ + delay, ++numbers_};
  agenda_.emplace(id, std::move(task));
  return id;
}

void SimTime::run_until(Duration end) {
  while (!agenda_.empty() && agenda_.begin()->first.at <= end) {
    auto next = agenda_.extract(agenda_.begin());
    now_ = next.key().at;
    count_task();
    next.mapped()();
  }
  now_ = end;
}

void SimTime::count_task() {
  const std::int64_t second = now_ / seconds(1);
  if (second != second_) {
    second_ = second;
    tasks_in_second_ = 0;
  }
  if (++tasks_in_second_ > kTasksPerSecond)
    fail_simulation("too many tasks in one second: something spins");
}

// ---- SimLoop

class SimLoop::SimTimer final : public Timer {
 public:
  explicit SimTimer(std::shared_ptr<Life> life) : life_(std::move(life)) {}
  ~SimTimer() override { cancel(); }

  void start(Duration delay, Task callback) override {
    cancel();
    // The number tells a callback that a stall holds back from one of a later start().
    armed_ = std::make_shared<Task>(std::move(callback));
    id_ =
        run_after(life_, std::max(delay, Duration(0)), [armed = std::weak_ptr<Task>(armed_), this] {
          const auto callback_now = armed.lock();
          if (callback_now == nullptr) return;
          armed_.reset();
          (*callback_now)();
        });
  }

  void cancel() override {
    armed_.reset();
    if (life_->alive) life_->time.cancel(id_);
  }

 private:
  std::shared_ptr<Life> life_;
  std::shared_ptr<Task> armed_;
  SimTime::Id id_;
};

SimTime::Id SimLoop::run_after(const std::shared_ptr<Life>& life, Duration delay, Task task) {
  return life->time.after(delay, [life, task = std::move(task)]() mutable {
    if (!life->alive) return;
    if (life->time.now() < life->stalled_until || !life->held.empty()) {
      life->held.push_back(std::move(task));
    } else {
      task();
    }
  });
}

void SimLoop::kill() {
  life_->alive = false;
  const auto dropped = std::move(life_->held);
  life_->held.clear();
}

void SimLoop::stall(Duration pause) {
  life_->stalled_until = std::max(life_->stalled_until, life_->time.now() + pause);
  life_->time.after(pause, [life = life_] { go_on(life); });
}

void SimLoop::go_on(const std::shared_ptr<Life>& life) {
  while (life->alive && life->time.now() >= life->stalled_until && !life->held.empty()) {
    const Task task = std::move(life->held.front());
    life->held.pop_front();
    task();
  }
  if (!life->alive) life->held.clear();
}

Post SimLoop::poster() {
  return [life = life_](Task task) {
    if (life->alive) run_after(life, life->post_delay, std::move(task));
  };
}

std::unique_ptr<Timer> SimLoop::make_timer() {
  return std::make_unique<SimTimer>(life_);
}

void SimLoop::run_elsewhere(Duration delay, Task task) {
  life_->time.after(delay, [life = life_, task = std::move(task)] {
    if (life->alive) task();
  });
}

void SimLoop::run_work(Duration delay, Duration pause, Task task) {
  run_elsewhere(delay, [life = life_, pause, task = std::move(task)] {
    life->post_delay = pause;
    task();
    life->post_delay = Duration(0);
  });
}

// ---- The rest

bool SimWorkers::try_post(Task task) {
  if (happens(random_, faults_.busy_permille)) return false;
  const auto any = [this] { return any_duration(random_, microseconds(20), faults_.work_latency); };
  const Duration delay = any();
  loop_.run_work(delay, any(), std::move(task));
  return true;
}

Duration any_duration(Random& random, Duration least, Duration most) {
  return least + Duration(static_cast<std::int64_t>(
                     random.below(static_cast<std::uint64_t>((most - least).count()) + 1)));
}

bool happens(Random& random, std::uint64_t permille) {
  return random.below(1000) < permille;
}

}  // namespace dkron::sim
