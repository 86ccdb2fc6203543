#include "gossip/coalescer.h"

#include <utility>

namespace dkron::gossip {

CoalescingWindow::CoalescingWindow(Duration period, Duration quiet, Timers& timers, Task flush)
    : period_(period), quiet_(quiet), timers_(timers), flush_(std::move(flush)) {}

void CoalescingWindow::added(std::size_t held) {
  if (held >= kMaxHeld) return close();
  if (!period_timer_.is_pending()) {
    period_timer_ = timers_.after(period_, [this] { close(); });
  }
  quiet_timer_ = timers_.after(quiet_, [this] { close(); });
}

void CoalescingWindow::close() {
  stop();
  flush_();
}

void CoalescingWindow::stop() {
  period_timer_.cancel();
  quiet_timer_.cancel();
}

MemberCoalescer::MemberCoalescer(Duration period, Duration quiet, Timers& timers, Deliver deliver)
    : deliver_(std::move(deliver)), window_(period, quiet, timers, [this] { flush(); }) {}

void MemberCoalescer::add(MemberEvent::Type type, const Member& member) {
  if (window_.is_shut()) return deliver_({type, {member}});
  held_.insert_or_assign(member.name, Latest{type, member});
  window_.added(held_.size());
}

void MemberCoalescer::flush() {
  std::map<MemberEvent::Type, std::vector<Member>> by_type;
  for (auto& [name, latest] : std::exchange(held_, {})) {
    if (is_known(name, latest.type)) continue;
    by_type[latest.type].push_back(std::move(latest.member));
  }
  for (auto& [type, members] : by_type) deliver_({type, std::move(members)});
}

// Whether the same was delivered of that member last. An update always is news.
bool MemberCoalescer::is_known(const std::string& name, MemberEvent::Type type) {
  const auto before = delivered_.find(name);
  const bool is_same = before != delivered_.end() && before->second == type;
  if (is_same && type != MemberEvent::Type::Update) return true;
  if (type == MemberEvent::Type::Reap) {
    delivered_.erase(name);
  } else {
    delivered_[name] = type;
  }
  return false;
}

void MemberCoalescer::stop() {
  window_.stop();
  held_.clear();
}

UserCoalescer::UserCoalescer(Duration period, Duration quiet, Timers& timers, Deliver deliver)
    : deliver_(std::move(deliver)), window_(period, quiet, timers, [this] { flush(); }) {}

void UserCoalescer::add(UserEvent event) {
  if (window_.is_shut()) return deliver_(std::move(event));
  std::vector<UserEvent>& events = held_[event.name];
  if (!events.empty() && event.time < events.front().time) return;
  if (!events.empty() && event.time > events.front().time) {
    held_count_ -= events.size();
    events.clear();
  }
  events.push_back(std::move(event));
  window_.added(++held_count_);
}

void UserCoalescer::flush() {
  held_count_ = 0;
  for (auto& [name, events] : std::exchange(held_, {})) {
    for (UserEvent& event : events) deliver_(std::move(event));
  }
}

void UserCoalescer::stop() {
  window_.stop();
  held_.clear();
  held_count_ = 0;
}

}  // namespace dkron::gossip
