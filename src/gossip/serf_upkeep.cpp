// Serf's longer works: leaving in good order, forgetting members, and trying to reach failed ones
// again (specification 8.8, 8.11).
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "gossip/serf.h"

namespace dkron::gossip {

void Serf::leave(Done done) {
  if (phase_ != Phase::Running) {
    mailbox_.post([done = std::move(done)] {
      done(fail(ErrorCode::Conflict, "gossip does not run, or leaves already"));
    });
    return;
  }
  phase_ = Phase::Leaving;
  leave_done_ = std::move(done);
  roster_.begin_leave();
  const LeaveIntent intent{roster_.clock().time(), options_.name, false};
  roster_.clock().increment();
  on_message(intent);
  if (!memberlist_->others_alive()) return leave_memberlist();

  // Others must know the intent before they hear that we are gone, or we count as failed.
  const auto go_on = [this] { leave_memberlist(); };
  leave_timer_ = env_.timers.after(options_.broadcast_timeout, go_on);
  broadcasts_.push(SerfBroadcasts::Kind::Intent, encode(intent), [this, go_on] {
    // The queue that calls is the memberlist's to use: leaving it begins outside of this call.
    if (leave_timer_.is_pending()) leave_timer_ = env_.timers.after(Duration{0}, go_on);
  });
}

void Serf::leave_memberlist() {
  const bool had_others = memberlist_->others_alive();
  memberlist_->leave(options_.broadcast_timeout, [this, had_others](const Result<>& told) {
    if (!told) log::warning("gossip: leaving, but not all know", {{"reason", told.error()}});
    on_memberlist_left(had_others);
  });
}

void Serf::on_memberlist_left(bool had_others) {
  // A moment for the news to spread, in which we still answer; needless when we are alone.
  const Duration delay = had_others ? options_.leave_propagate_delay : Duration{0};
  leave_timer_ = env_.timers.after(delay, [this] {
    phase_ = Phase::Left;
    mailbox_.post([done = std::exchange(leave_done_, {})] { done({}); });
  });
}

Result<> Serf::force_leave(const std::string& name, bool prune) {
  if (phase_ != Phase::Running) return fail(ErrorCode::Unavailable, "gossip does not run");
  if (roster_.is_self(name)) {
    return fail(ErrorCode::InvalidArgument, "that is this node itself: let it leave");
  }
  if (roster_.members().find(name) == nullptr) {
    return fail(ErrorCode::NotFound, "no member is called \"" + name + "\"");
  }
  const LeaveIntent intent{roster_.clock().time(), name, prune};
  roster_.clock().increment();
  on_message(intent);
  if (memberlist_->others_alive()) broadcast(SerfBroadcasts::Kind::Intent, encode(intent));
  return {};
}

void Serf::reap() {
  reap_timer_ = env_.timers.after(options_.reap_interval, [this] { reap(); });
  roster_.reap();
}

void Serf::reconnect() {
  reconnect_timer_ = env_.timers.after(options_.reconnect_interval, [this] { reconnect(); });
  const MemberTable& members = roster_.members();
  const std::size_t failed = members.count(MemberStatus::Failed);
  if (failed == 0 || phase_ != Phase::Running) return;
  const std::size_t present = members.size() - failed - members.count(MemberStatus::Left);
  // All members together try about once per failed one.
  if (env_.random.below(std::max<std::size_t>(1, present)) >= failed) return;
  const auto picked = members.pick(
      1, env_.random, [](const Member& member) { return member.status == MemberStatus::Failed; });
  log::info("gossip: trying to reach a failed member again", {{"member", picked[0]->name}});
  memberlist_->join(picked[0]->endpoint, [name = picked[0]->name](const Result<>& joined) {
    if (joined) return;
    log::info("gossip: a failed member is still away",
              {{"member", name}, {"reason", joined.error()}});
  });
}

}  // namespace dkron::gossip
