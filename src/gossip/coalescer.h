// Coalescers: collect events for a moment and deliver them together.
//
// A CoalescingWindow closes when it has been open for the period, or nothing came for the quiet
// time. MemberCoalescer keeps the latest event of each member and delivers one event per type;
// UserCoalescer keeps, per event name, the events of the highest Lamport time. At kMaxHeld entries
// a window closes at once. Parts of Serf; live on its thread. Source: the gossip specification
// 8.10.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "gossip/member.h"
#include "gossip/timers.h"

namespace dkron::gossip {

class CoalescingWindow {
 public:
  CoalescingWindow(Duration period, Duration quiet, Timers& timers, Task flush);

  // A period of zero: nothing is to be held.
  bool is_shut() const { return period_ <= Duration{0}; }
  void added(std::size_t held);
  void stop();

 private:
  static constexpr std::size_t kMaxHeld = 4096;
  void close();

  Duration period_;
  Duration quiet_;
  Timers& timers_;
  Task flush_;
  Timers::Handle period_timer_;
  Timers::Handle quiet_timer_;
};

class MemberCoalescer {
 public:
  using Deliver = std::function<void(MemberEvent)>;
  MemberCoalescer(Duration period, Duration quiet, Timers& timers, Deliver deliver);

  void add(MemberEvent::Type type, const Member& member);
  void stop();

 private:
  void flush();
  bool is_known(const std::string& name, MemberEvent::Type type);

  struct Latest {
    MemberEvent::Type type;
    Member member;
  };
  Deliver deliver_;
  std::map<std::string, Latest> held_;
  // What was delivered last of each member that is not reaped.
  std::unordered_map<std::string, MemberEvent::Type> delivered_;
  CoalescingWindow window_;
};

class UserCoalescer {
 public:
  using Deliver = std::function<void(UserEvent)>;
  UserCoalescer(Duration period, Duration quiet, Timers& timers, Deliver deliver);

  void add(UserEvent event);
  void stop();

 private:
  void flush();

  Deliver deliver_;
  std::map<std::string, std::vector<UserEvent>> held_;
  std::size_t held_count_ = 0;
  CoalescingWindow window_;
};

}  // namespace dkron::gossip
