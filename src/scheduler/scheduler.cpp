#include "scheduler/scheduler.h"

#include <algorithm>

#include "base/log.h"

namespace dkron::scheduler {

Scheduler::Scheduler(TaskLoop& loop, const Clock& clock, Callbacks callbacks)
    : clock_(clock), callbacks_(std::move(callbacks)), timer_(loop.make_timer()) {}

void Scheduler::start() {
  running_ = true;
  newest_wall_ = clock_.wall();
  arm();
}

void Scheduler::stop() {
  running_ = false;
  timer_->cancel();
}

void Scheduler::set(std::uint64_t uid, Instant next) {
  if (next.is_zero()) {
    remove(uid);
    return;
  }
  auto [entry, added] = next_.try_emplace(uid, next);
  if (!added && entry->second == next) return;
  entry->second = next;
  const bool first = heap_.empty() || next < heap_.top().next;
  heap_.push(Entry{next, uid});
  if (heap_.size() > 64 + 2 * next_.size()) compact();
  if (running_ && first) arm();
}

void Scheduler::remove(std::uint64_t uid) {
  next_.erase(uid);
}

void Scheduler::clear() {
  next_.clear();
  heap_ = {};
}

void Scheduler::compact() {
  std::vector<Entry> entries;
  entries.reserve(next_.size());
  for (const auto& [uid, next] : next_) entries.push_back(Entry{next, uid});
  heap_ = decltype(heap_)(std::greater<>(), std::move(entries));
}

void Scheduler::arm() {
  Duration delay = kRecheck;
  if (!heap_.empty()) {
    delay = std::clamp<Duration>(heap_.top().next - clock_.wall(), Duration(0), kRecheck);
  }
  wake_at_ = clock_.steady() + delay;
  timer_->start(delay, [this] { tick(); });
}

void Scheduler::tick() {
  if (!running_) return;
  const Instant now = clock_.wall();
  check_clocks(now);
  auto due = take_due(now);
  if (!due.empty()) callbacks_.on_due(std::move(due));
  if (running_) arm();
}

void Scheduler::check_clocks(Instant wall) {
  const Duration late = clock_.steady() - wake_at_;
  if (late > kLateTick) {
    log::warning("scheduler: the loop was late", {{"late", late}});
  }
  if (newest_wall_ - wall > kClockBack) {
    log::warning("scheduler: the wall clock went back", {{"by", newest_wall_ - wall}});
    newest_wall_ = wall;
    callbacks_.on_clock_back();
  }
  newest_wall_ = std::max(newest_wall_, wall);
}

std::vector<Due> Scheduler::take_due(Instant now) {
  std::vector<Due> due;
  while (!heap_.empty() && heap_.top().next <= now) {
    const Entry top = heap_.top();
    heap_.pop();
    const auto entry = next_.find(top.uid);
    if (entry == next_.end() || entry->second != top.next) continue;
    next_.erase(entry);
    due.push_back(Due{top.uid, top.next});
  }
  return due;
}

}  // namespace dkron::scheduler
