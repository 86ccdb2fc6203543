#include "gossip/timers.h"

#include <algorithm>
#include <utility>

namespace dkron::gossip {

Timers::Handle::Handle(Handle&& other) noexcept
    : timers_(std::exchange(other.timers_, nullptr)), at_(other.at_), id_(other.id_) {}

Timers::Handle& Timers::Handle::operator=(Handle&& other) noexcept {
  if (this == &other) return *this;
  cancel();
  timers_ = std::exchange(other.timers_, nullptr);
  at_ = other.at_;
  id_ = other.id_;
  return *this;
}

void Timers::Handle::cancel() {
  if (timers_ != nullptr) std::exchange(timers_, nullptr)->cancel(at_, id_);
}

Timers::Handle Timers::after(Duration delay, Task callback) {
  const Duration at = now_ + std::max(delay, Duration{0});
  const std::uint64_t id = ++last_id_;
  const auto added = tasks_.emplace(Key{at, id}, std::move(callback)).first;
  if (added == tasks_.begin() && on_new_next_) on_new_next_();
  return {this, at, id};
}

std::optional<Duration> Timers::next_due() const {
  if (tasks_.empty()) return std::nullopt;
  return tasks_.begin()->first.first;
}

void Timers::advance(Duration now) {
  while (!tasks_.empty() && tasks_.begin()->first.first <= now) {
    const auto due = tasks_.extract(tasks_.begin());
    now_ = std::max(now_, due.key().first);
    due.mapped()();
  }
  now_ = std::max(now_, now);
}

void Timers::catch_up(Duration now) {
  move_to(now);
  advance(now);
}

}  // namespace dkron::gossip
