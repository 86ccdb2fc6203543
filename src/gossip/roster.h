// Roster: the rules by which members come, go and are forgotten.
//
// Puts together what the memberlist observes (a node answers or does not) with what nodes announce
// (join and leave intents, in Lamport order): alive, leaving, left, failed. Tells its listener of
// every change. Owned by Serf; lives on its thread. Source: the gossip specification 8.2 to 8.4
// and 8.8.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>

#include "gossip/lamport_clock.h"
#include "gossip/member_table.h"
#include "gossip/recent_intents.h"
#include "gossip/timers.h"

namespace dkron::gossip {

class Roster {
 public:
  struct Options {
    Member self;
    Duration reconnect_timeout{};      // A failed member is forgotten.
    Duration tombstone_timeout{};      // A left one is.
    Duration recent_intent_timeout{};  // An intent of a stranger is.
    Duration prune_delay{};            // A member to be pruned may still finish its leave.
  };
  // Called in the midst of a change: it must not call back.
  using Listener = std::function<void(MemberEvent::Type, const Member&)>;

  Roster(Options options, Timers& timers, Listener listener);

  // From the memberlist.
  void on_join(const NodeRecord& node);
  void on_leave(const NodeRecord& node);
  void on_update(const NodeRecord& node);

  enum class Effect {
    None,    // Known already, or overtaken.
    Gossip,  // News, to be passed on.
    Refute,  // It says that we leave, and we do not: to be contradicted.
  };
  Effect on_intent(const LeaveIntent& intent);
  Effect on_intent(const JoinIntent& intent);

  // From now on intents about our leave are true.
  void begin_leave() { is_leaving_ = true; }
  // Forgets those who are gone for too long.
  void reap();
  void stop() { prunings_.clear(); }

  LamportClock& clock() { return clock_; }
  const LamportClock& clock() const { return clock_; }
  const MemberTable& members() const { return members_; }
  const Member& self() const { return members_.find(self_name_)->member; }
  bool is_self(const std::string& name) const { return name == self_name_; }

 private:
  KnownMember& admit(const NodeRecord& node);
  void mark_gone(KnownMember& known, MemberStatus status);
  void prune(const KnownMember& known);
  void on_prune_due(const std::string& name);
  void forget(const std::string& name);
  bool is_expired(const KnownMember& known, Duration now) const;

  Options options_;
  std::string self_name_;
  Timers& timers_;
  Listener listener_;
  LamportClock clock_;
  MemberTable members_;
  RecentIntents intents_;
  bool is_leaving_ = false;
  std::unordered_map<std::string, Timers::Handle> prunings_;  // By member.
};

}  // namespace dkron::gossip
