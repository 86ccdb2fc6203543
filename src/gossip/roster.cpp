#include "gossip/roster.h"

#include <utility>

#include "base/log.h"

namespace dkron::gossip {
namespace {

void copy(const NodeRecord& node, Member& member) {
  member.endpoint = {node.ip, node.port};
  member.meta = node.meta;
  member.versions = node.versions;
}

}  // namespace

Roster::Roster(Options options, Timers& timers, Listener listener)
    : options_(std::move(options)),
      self_name_(options_.self.name),
      timers_(timers),
      listener_(std::move(listener)) {
  members_.add(options_.self);
}

void Roster::on_join(const NodeRecord& node) {
  KnownMember* known = members_.find(node.name);
  if (known == nullptr) {
    known = &admit(node);
  } else {
    members_.set_status(*known, MemberStatus::Alive);
    known->gone_since = {};
    copy(node, known->member);
  }
  listener_(MemberEvent::Type::Join, known->member);
}

KnownMember& Roster::admit(const NodeRecord& node) {
  if (members_.is_full()) {
    const KnownMember* gone = members_.gone_longest();
    if (gone != nullptr && !is_self(gone->member.name)) {
      log::warning("gossip: the table of members is full, a gone one is forgotten",
                   {{"member", gone->member.name}, {"limit", MemberTable::kMaxMembers}});
      forget(std::string(gone->member.name));
    }
  }
  Member member;
  member.name = node.name;
  member.status = MemberStatus::Alive;
  copy(node, member);
  KnownMember& known = members_.add(std::move(member));
  if (const auto intent = intents_.take(node.name)) {
    known.status_time = intent->time;
    if (intent->is_leave) members_.set_status(known, MemberStatus::Leaving);
  }
  return known;
}

void Roster::on_leave(const NodeRecord& node) {
  KnownMember* known = members_.find(node.name);
  if (known == nullptr) return;
  switch (known->member.status) {
    case MemberStatus::Leaving:
      mark_gone(*known, MemberStatus::Left);
      return listener_(MemberEvent::Type::Leave, known->member);
    case MemberStatus::Alive:
      mark_gone(*known, MemberStatus::Failed);
      return listener_(MemberEvent::Type::Failed, known->member);
    case MemberStatus::None:
    case MemberStatus::Left:
    case MemberStatus::Failed:
      log::warning("gossip: a member left that was gone before",
                   {{"member", node.name}, {"status", to_string(known->member.status)}});
  }
}

void Roster::mark_gone(KnownMember& known, MemberStatus status) {
  members_.set_status(known, status);
  known.gone_since = timers_.now();
}

void Roster::on_update(const NodeRecord& node) {
  KnownMember* known = members_.find(node.name);
  if (known == nullptr) return;
  copy(node, known->member);
  listener_(MemberEvent::Type::Update, known->member);
}

Roster::Effect Roster::on_intent(const LeaveIntent& intent) {
  clock_.witness(intent.time);
  KnownMember* known = members_.find(intent.node);
  if (known == nullptr) {
    const bool is_news = intents_.keep(intent.node, {true, intent.time, timers_.now()});
    return is_news ? Effect::Gossip : Effect::None;
  }
  if (intent.time <= known->status_time) return Effect::None;
  if (is_self(intent.node) && !is_leaving_) return Effect::Refute;
  known->status_time = intent.time;
  if (known->member.status == MemberStatus::Alive) {
    members_.set_status(*known, MemberStatus::Leaving);
  } else if (known->member.status == MemberStatus::Failed) {
    // The time of the failure stays: it is gone since then.
    members_.set_status(*known, MemberStatus::Left);
    listener_(MemberEvent::Type::Leave, known->member);
  }
  if (intent.prune) prune(*known);
  return Effect::Gossip;
}

Roster::Effect Roster::on_intent(const JoinIntent& intent) {
  clock_.witness(intent.time);
  KnownMember* known = members_.find(intent.node);
  if (known == nullptr) {
    const bool is_news = intents_.keep(intent.node, {false, intent.time, timers_.now()});
    return is_news ? Effect::Gossip : Effect::None;
  }
  if (intent.time <= known->status_time) return Effect::None;
  known->status_time = intent.time;
  // The leave was overtaken: the member is here.
  if (known->member.status == MemberStatus::Leaving) {
    members_.set_status(*known, MemberStatus::Alive);
  }
  return Effect::Gossip;
}

void Roster::prune(const KnownMember& known) {
  if (is_self(known.member.name)) return;
  if (known.member.status != MemberStatus::Leaving) return forget(std::string(known.member.name));
  prunings_[known.member.name] =
      timers_.after(options_.prune_delay, [this, name = known.member.name] { on_prune_due(name); });
}

void Roster::on_prune_due(const std::string& name) {
  prunings_.erase(name);
  const KnownMember* known = members_.find(name);
  // Dkron differs: one that contradicted its leave meanwhile stays; the original erases a living
  // member.
  if (known == nullptr || known->member.status == MemberStatus::Alive) return;
  forget(name);
}

void Roster::reap() {
  const Duration now = timers_.now();
  std::vector<std::string> expired;
  for (const KnownMember* known : members_.by_name()) {
    const std::string& name = known->member.name;
    if (!is_self(name) && is_expired(*known, now)) expired.push_back(name);
  }
  for (const std::string& name : expired) forget(name);
  intents_.expire(now - options_.recent_intent_timeout);
}

bool Roster::is_expired(const KnownMember& known, Duration now) const {
  const Duration gone = now - known.gone_since;
  if (known.member.status == MemberStatus::Failed) return gone > options_.reconnect_timeout;
  return known.member.status == MemberStatus::Left && gone > options_.tombstone_timeout;
}

void Roster::forget(const std::string& name) {
  KnownMember* known = members_.find(name);
  if (known == nullptr) return;
  const Member member = known->member;
  members_.erase(name);
  prunings_.erase(name);
  listener_(MemberEvent::Type::Reap, member);
}

}  // namespace dkron::gossip
