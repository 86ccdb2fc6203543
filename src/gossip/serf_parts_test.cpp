// Parts of Serf alone, and above all their limits.
#include <gtest/gtest.h>

#include "gossip/coalescer.h"
#include "gossip/event_ring.h"
#include "gossip/mailbox.h"
#include "gossip/query_filters.h"
#include "gossip/query_ring.h"
#include "gossip/roster.h"
#include "gossip/serf_broadcasts.h"

namespace dkron::gossip {
namespace {

TEST(LamportClock, follows_what_it_sees) {
  LamportClock clock;
  EXPECT_EQ(clock.time(), 1u);
  clock.witness(0);
  EXPECT_EQ(clock.time(), 1u);
  clock.witness(1);
  EXPECT_EQ(clock.time(), 2u);
  clock.witness(9);
  EXPECT_EQ(clock.time(), 10u);
  EXPECT_EQ(clock.increment(), 11u);
}

TEST(LamportClock, does_not_wrap) {
  LamportClock clock;
  clock.witness(LamportClock::kLast);
  EXPECT_EQ(clock.time(), LamportClock::kLast);
  clock.witness(LamportClock::kLast);
  EXPECT_EQ(clock.increment(), LamportClock::kLast);
}

TEST(Mailbox, delivers_in_order_and_never_from_inside) {
  Timers timers(Duration{0});
  Mailbox mailbox(timers);
  std::string told;
  mailbox.post([&] {
    mailbox.post([&] { told += "c"; });
    told += "a";
  });
  mailbox.post([&] { told += "b"; });
  EXPECT_EQ(told, "");
  timers.advance(Duration{0});
  EXPECT_EQ(told, "abc");
}

TEST(Mailbox, drops_what_waits_when_it_is_closed) {
  Timers timers(Duration{0});
  Mailbox mailbox(timers);
  int told = 0;
  mailbox.post([&] {
    ++told;
    mailbox.close();
  });
  mailbox.post([&] { ++told; });
  timers.advance(seconds(1));
  mailbox.post([&] { ++told; });
  timers.advance(seconds(2));
  EXPECT_EQ(told, 1);
}

TEST(EventRing, takes_only_so_many_of_one_time) {
  EventRing ring(512);
  for (std::size_t i = 0; i < EventRing::kMaxPerSlot; ++i) {
    ASSERT_TRUE(ring.admit({5, "e", std::to_string(i), false}));
  }
  EXPECT_FALSE(ring.admit({5, "e", "one more", false}));
  EXPECT_TRUE(ring.admit({6, "e", "one more", false}));
}

TEST(EventRing, forgets_the_oldest_when_it_holds_too_many_bytes) {
  EventRing ring(512);
  const std::string large(60'000, 'x');
  for (LamportTime time = 1; time <= 400; ++time) {
    ASSERT_TRUE(ring.admit({time, "e", large, false}));
    ASSERT_LE(ring.size_bytes(), EventRing::kMaxBytes);
  }
  EXPECT_FALSE(ring.admit({1, "e", large, false}));  // It is not taken for a new one.
  EXPECT_FALSE(ring.admit({400, "e", large, false}));
  EXPECT_LT(ring.slots().size(), 300u);
  EXPECT_EQ(ring.slots().back()->time, 400u);
}

TEST(EventRing, uses_a_slot_again_for_a_later_time) {
  EventRing ring(8);
  EXPECT_TRUE(ring.admit({1, "e", "", false}));
  EXPECT_TRUE(ring.admit({9, "e", "", false}));
  EXPECT_EQ(ring.slots().size(), 1u);
  EXPECT_FALSE(ring.admit({1, "e", "", false}));
  ring.ignore_before(20);
  ring.ignore_before(10);  // Does not fall.
  EXPECT_FALSE(ring.admit({19, "e", "", false}));
}

TEST(QueryRing, takes_each_id_of_a_time_once_and_only_so_many) {
  QueryRing ring(512);
  for (std::uint32_t id = 0; id < QueryRing::kMaxPerSlot; ++id) ASSERT_TRUE(ring.admit(3, id));
  EXPECT_FALSE(ring.admit(3, 7));
  EXPECT_FALSE(ring.admit(3, 1'000'000));
  EXPECT_TRUE(ring.admit(4, 7));
  EXPECT_TRUE(ring.admit(3 + 512, 7));
  EXPECT_FALSE(ring.admit(3, 8));
}

TEST(QueryFilters, must_all_match) {
  const Tags tags{{"role", "web"}};
  const std::string us = encode(QueryFilter{NodeFilter{{"x", "a"}}});
  const std::string web = encode(QueryFilter{TagFilter{"role", "^w"}});
  EXPECT_TRUE(all_match({}, "a", tags));
  EXPECT_TRUE(all_match({us, web}, "a", tags));
  EXPECT_FALSE(all_match({us, web}, "b", tags));
  EXPECT_FALSE(all_match({us, web}, "a", {}));
}

TEST(QueryFilters, that_are_broken_match_nobody) {
  EXPECT_FALSE(all_match({""}, "a", {}));
  EXPECT_FALSE(all_match({"\x07"}, "a", {}));
  EXPECT_FALSE(all_match({encode(QueryFilter{TagFilter{"t", "("}})}, "a", {}));
  // Would need more memory than an expression gets.
  EXPECT_FALSE(all_match({encode(QueryFilter{TagFilter{"t", "((x{900}){900}){900}"}})}, "a", {}));
  const std::string any = encode(QueryFilter{TagFilter{"t", ""}});
  EXPECT_TRUE(all_match(std::vector<std::string>(kMaxFilters, any), "a", {}));
  EXPECT_FALSE(all_match(std::vector<std::string>(kMaxFilters + 1, any), "a", {}));
}

TEST(SerfBroadcasts, go_intents_first_and_events_last) {
  SerfBroadcasts broadcasts(4, 100);
  EXPECT_TRUE(broadcasts.push(SerfBroadcasts::Kind::Event, "an event"));
  EXPECT_TRUE(broadcasts.push(SerfBroadcasts::Kind::Query, "query"));
  EXPECT_TRUE(broadcasts.push(SerfBroadcasts::Kind::Intent, "i"));
  EXPECT_FALSE(broadcasts.push(SerfBroadcasts::Kind::Intent, std::string(101, 'x')));
  std::size_t room = 100;
  std::vector<std::string> out;
  broadcasts.take(3, 2, room, out);
  EXPECT_EQ(out, (std::vector<std::string>{"\x08i", "\x08query",
                                           "\x08"
                                           "an event"}));
  EXPECT_EQ(room, 100u - (3 * 2) - (2 + 6 + 9));
}

class RosterTest : public ::testing::Test {
 protected:
  static Roster::Options options() {
    Roster::Options options;
    options.self.name = "me";
    options.reconnect_timeout = hours(1);
    options.tombstone_timeout = hours(2);
    options.recent_intent_timeout = minutes(5);
    options.prune_delay = seconds(6);
    return options;
  }
  static NodeRecord node(const std::string& name) {
    NodeRecord record;
    record.name = name;
    record.meta = "\xff\x80";
    return record;
  }
  MemberStatus status(const std::string& name) {
    const KnownMember* known = roster.members().find(name);
    return known == nullptr ? MemberStatus::None : known->member.status;
  }

  Timers timers{Duration{0}};
  std::vector<std::string> news;
  Roster roster{options(), timers, [this](MemberEvent::Type type, const Member& member) {
                  news.push_back(std::string(to_string(type)) + " " + member.name);
                }};
};

TEST_F(RosterTest, counts_follow_the_statuses) {
  roster.on_join(node("a"));
  roster.on_join(node("b"));
  EXPECT_EQ(roster.members().count(MemberStatus::Alive), 2u);
  roster.on_leave(node("a"));
  EXPECT_EQ(roster.on_intent(LeaveIntent{5, "b", false}), Roster::Effect::Gossip);
  roster.on_leave(node("b"));
  EXPECT_EQ(roster.members().count(MemberStatus::Alive), 0u);
  EXPECT_EQ(roster.members().count(MemberStatus::Failed), 1u);
  EXPECT_EQ(roster.members().count(MemberStatus::Left), 1u);
  roster.on_leave(node("b"));  // Gone already.
  roster.on_leave(node("stranger"));
  roster.on_update(node("stranger"));
  EXPECT_EQ(news, (std::vector<std::string>{"join a", "join b", "failed a", "leave b"}));
  timers.advance(hours(1) + seconds(1));
  roster.reap();
  EXPECT_EQ(roster.members().count(MemberStatus::Failed), 0u);
  EXPECT_EQ(news.back(), "reap a");
  timers.advance(hours(2) + seconds(1));
  roster.reap();
  EXPECT_EQ(news.back(), "reap b");
  EXPECT_EQ(roster.members().size(), 1u);
}

TEST_F(RosterTest, intents_are_passed_on_only_when_they_are_news) {
  roster.on_join(node("a"));
  EXPECT_EQ(roster.on_intent(JoinIntent{5, "a"}), Roster::Effect::Gossip);
  EXPECT_EQ(roster.on_intent(JoinIntent{5, "a"}), Roster::Effect::None);
  EXPECT_EQ(roster.on_intent(LeaveIntent{5, "a", false}), Roster::Effect::None);
  EXPECT_EQ(roster.on_intent(LeaveIntent{6, "a", false}), Roster::Effect::Gossip);
  EXPECT_EQ(roster.on_intent(LeaveIntent{6, "stranger", false}), Roster::Effect::Gossip);
  EXPECT_EQ(roster.on_intent(JoinIntent{6, "stranger"}), Roster::Effect::None);
  EXPECT_EQ(roster.on_intent(JoinIntent{7, "stranger"}), Roster::Effect::Gossip);
  EXPECT_EQ(roster.clock().time(), 8u);
  roster.on_join(node("stranger"));
  EXPECT_EQ(status("stranger"), MemberStatus::Alive);
  EXPECT_EQ(roster.members().find("stranger")->status_time, 7u);
}

TEST_F(RosterTest, intents_about_our_leave_are_refuted_until_we_leave) {
  roster.on_join(node("me"));
  EXPECT_EQ(roster.on_intent(LeaveIntent{5, "me", true}), Roster::Effect::Refute);
  EXPECT_EQ(status("me"), MemberStatus::Alive);
  roster.begin_leave();
  EXPECT_EQ(roster.on_intent(LeaveIntent{6, "me", true}), Roster::Effect::Gossip);
  EXPECT_EQ(status("me"), MemberStatus::Leaving);
  timers.advance(seconds(10));
  roster.on_leave(node("me"));
  timers.advance(hours(10));
  roster.reap();
  EXPECT_EQ(roster.self().status, MemberStatus::Left);  // We never forget ourselves.
}

TEST_F(RosterTest, one_who_is_pruned_while_leaving_has_time_to_finish) {
  roster.on_join(node("a"));
  roster.on_intent(LeaveIntent{5, "a", true});
  roster.on_leave(node("a"));
  EXPECT_EQ(status("a"), MemberStatus::Left);
  timers.advance(seconds(7));
  EXPECT_EQ(news, (std::vector<std::string>{"join a", "leave a", "reap a"}));
}

TEST_F(RosterTest, intents_of_strangers_are_forgotten_and_limited) {
  const std::size_t limit = RecentIntents::kMaxIntents;
  for (std::size_t i = 0; i < limit; ++i) {
    ASSERT_EQ(roster.on_intent(LeaveIntent{1, std::to_string(i), false}), Roster::Effect::Gossip);
  }
  EXPECT_EQ(roster.on_intent(LeaveIntent{1, "one more", false}), Roster::Effect::None);
  timers.advance(minutes(6));
  roster.reap();
  EXPECT_EQ(roster.on_intent(LeaveIntent{1, "one more", false}), Roster::Effect::Gossip);
  roster.on_join(node("7"));
  EXPECT_EQ(status("7"), MemberStatus::Alive);
  const std::string long_name(RecentIntents::kMaxNameBytes + 1, 'x');
  EXPECT_EQ(roster.on_intent(JoinIntent{1, long_name}), Roster::Effect::None);
}

TEST_F(RosterTest, a_full_table_forgets_the_one_that_is_gone_longest) {
  for (std::size_t i = roster.members().size(); i < MemberTable::kMaxMembers; ++i) {
    roster.on_join(node(std::to_string(i)));
  }
  for (const char* gone : {"7", "3"}) {
    timers.advance(timers.now() + seconds(1));
    roster.on_leave(node(gone));
  }
  roster.on_join(node("new"));
  EXPECT_EQ(roster.members().size(), MemberTable::kMaxMembers);
  EXPECT_EQ(status("7"), MemberStatus::None);
  EXPECT_EQ(status("3"), MemberStatus::Failed);
  EXPECT_EQ(status("new"), MemberStatus::Alive);
}

class CoalescerTest : public ::testing::Test {
 protected:
  static Member member(const std::string& name) {
    Member member;
    member.name = name;
    return member;
  }

  Timers timers{Duration{0}};
  std::vector<std::string> told;
  MemberCoalescer coalescer{seconds(3), seconds(1), timers, [this](const MemberEvent& event) {
                              std::string line(to_string(event.type));
                              for (const Member& m : event.members) line += " " + m.name;
                              told.push_back(line);
                            }};
};

TEST_F(CoalescerTest, groups_members_by_what_happened_last) {
  coalescer.add(MemberEvent::Type::Join, member("b"));
  coalescer.add(MemberEvent::Type::Join, member("a"));
  coalescer.add(MemberEvent::Type::Join, member("c"));
  coalescer.add(MemberEvent::Type::Failed, member("c"));
  timers.advance(milliseconds(999));
  EXPECT_TRUE(told.empty());
  timers.advance(seconds(1));
  EXPECT_EQ(told, (std::vector<std::string>{"join a b", "failed c"}));
}

TEST_F(CoalescerTest, closes_after_the_period_when_it_is_never_quiet) {
  for (int i = 0; i < 10; ++i) {
    coalescer.add(MemberEvent::Type::Update, member("a"));
    timers.advance(timers.now() + milliseconds(500));
    if (!told.empty()) break;
  }
  EXPECT_EQ(timers.now(), seconds(3));
  EXPECT_EQ(told, (std::vector<std::string>{"update a"}));
}

TEST_F(CoalescerTest, tells_the_same_twice_only_of_updates) {
  for (const auto type : {MemberEvent::Type::Join, MemberEvent::Type::Join,
                          MemberEvent::Type::Update, MemberEvent::Type::Update}) {
    coalescer.add(type, member("a"));
    timers.advance(timers.now() + seconds(2));
  }
  EXPECT_EQ(told, (std::vector<std::string>{"join a", "update a", "update a"}));
}

TEST_F(CoalescerTest, closes_early_when_it_is_full) {
  for (int i = 0; i < 5000; ++i) {
    coalescer.add(MemberEvent::Type::Join, member(std::to_string(i)));
  }
  EXPECT_EQ(told.size(), 1u);
}

TEST_F(CoalescerTest, says_nothing_after_a_stop) {
  coalescer.add(MemberEvent::Type::Join, member("a"));
  coalescer.stop();
  timers.advance(seconds(10));
  EXPECT_TRUE(told.empty());
}

}  // namespace
}  // namespace dkron::gossip
