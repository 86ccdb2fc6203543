// Members: joining, leaving, failing and coming back, in whole clusters under virtual time.
#include "gossip/serf.h"

#include <gtest/gtest.h>

#include "gossip/test_cluster.h"

namespace dkron::gossip {
namespace {

constexpr MemberStatus kAlive = MemberStatus::Alive;
constexpr MemberStatus kLeaving = MemberStatus::Leaving;
constexpr MemberStatus kLeft = MemberStatus::Left;
constexpr MemberStatus kFailed = MemberStatus::Failed;
constexpr MemberStatus kGone = MemberStatus::None;  // Not a member.

TEST(Serf, joining_makes_both_sides_know_each_other) {
  TestCluster cluster;
  cluster.set_adjust([](Serf::Options& options) { options.tags["of"] = options.name; });
  TestNode& a = cluster.add("a");
  TestNode& b = cluster.add("b");
  EXPECT_EQ(cluster.join(b, a.endpoint()).value(), 1u);
  EXPECT_TRUE(a.sees("b", kAlive));
  EXPECT_TRUE(b.sees("a", kAlive));
  EXPECT_EQ(a->find("b")->tags().at("of"), "b");
  EXPECT_EQ(b->find("a")->endpoint, a.endpoint());
  EXPECT_EQ(a->find("b")->versions, Versions{});
  cluster.run(seconds(1));
  EXPECT_EQ(a.news, (std::vector<std::string>{"join a", "join b"}));
  EXPECT_EQ(b.news, (std::vector<std::string>{"join b", "join a"}));
}

TEST(Serf, news_of_a_joiner_reach_those_it_did_not_join) {
  TestCluster cluster;
  cluster.form({"a", "b", "c", "d"});
  cluster.run(seconds(60));
  for (const char* name : {"a", "b", "c", "d"}) {
    EXPECT_EQ(cluster[name]->members().size(), 4u);
    EXPECT_EQ(cluster[name].news.size(), 4u) << name;  // A join of each, and nothing else.
    EXPECT_EQ(cluster[name]->memberlist().counters().suspicions, 0u);
    EXPECT_EQ(cluster[name]->memberlist().counters().packets_dropped, 0u);
    EXPECT_EQ(cluster[name]->counters().messages_dropped, 0u);
  }
}

TEST(Serf, members_are_sorted_by_name_and_hold_this_node) {
  TestCluster cluster;
  cluster.form({"m", "z", "a"});
  const std::vector<Member> members = cluster["m"]->members();
  ASSERT_EQ(members.size(), 3u);
  EXPECT_EQ(members[0].name, "a");
  EXPECT_EQ(members[1].name, "m");
  EXPECT_EQ(members[2].name, "z");
  EXPECT_EQ(cluster["m"]->local().name, "m");
  EXPECT_EQ(cluster["m"]->find("nobody"), nullptr);
}

TEST(Serf, a_join_that_reaches_nobody_tells_why) {
  TestCluster cluster;
  TestNode& a = cluster.add("a");
  const auto joined = cluster.join(a, test_endpoint(99));
  ASSERT_FALSE(joined);
  EXPECT_EQ(joined.error().code, ErrorCode::Unavailable);
  EXPECT_EQ(joined.error().message, "10.0.0.99:8946: connection refused");
}

TEST(Serf, a_join_counts_those_it_reached) {
  TestCluster cluster;
  TestNode& a = cluster.add("a");
  TestNode& b = cluster.add("b");
  std::optional<Result<std::size_t>> joined;
  b->join({a.endpoint(), test_endpoint(99)}, false, [&](auto result) { joined = result; });
  ASSERT_TRUE(cluster.run_until([&] { return joined.has_value(); }, seconds(20)));
  EXPECT_EQ(joined->value(), 1u);
  joined.reset();
  b->join({}, false, [&](auto result) { joined = result; });
  ASSERT_TRUE(cluster.run_until([&] { return joined.has_value(); }, seconds(20)));
  EXPECT_EQ(joined->error().code, ErrorCode::InvalidArgument);
}

TEST(Serf, changed_tags_reach_everybody_as_an_update) {
  TestCluster cluster;
  cluster.form({"a", "b", "c"});
  bool is_done = false;
  ASSERT_TRUE(cluster["c"]->set_tags({{"port", "6868"}}, [&](Result<> told) {
    EXPECT_TRUE(told);
    is_done = true;
  }));
  EXPECT_EQ(cluster["c"]->local().tags().at("port"), "6868");
  ASSERT_TRUE(cluster.run_until([&] { return is_done; }, seconds(6)));
  ASSERT_TRUE(cluster.run_until(
      [&] { return cluster["a"].count("update c") + cluster["b"].count("update c") == 2; },
      seconds(5)));
  EXPECT_EQ(cluster["a"]->find("c")->tags().at("port"), "6868");
  EXPECT_EQ(cluster["c"].count("update c"), 1u);
}

TEST(Serf, tags_that_do_not_fit_are_refused) {
  TestCluster cluster;
  TestNode& a = cluster.add("a");
  const Tags large{{"tag", std::string(512, 'x')}};
  const auto set = a->set_tags(large, [](Result<>) {});
  ASSERT_FALSE(set);
  EXPECT_EQ(set.error().code, ErrorCode::InvalidArgument);
  EXPECT_EQ(a->local().tags().size(), 0u);
}

TEST(Serf, who_leaves_in_good_order_is_left_and_never_failed) {
  TestCluster cluster;
  cluster.form({"a", "b", "c"});
  const Duration began = cluster.network().timers().now();
  ASSERT_TRUE(cluster.leave(cluster["c"]));
  const Duration took = cluster.network().timers().now() - began;
  EXPECT_GE(took, seconds(1));
  EXPECT_LE(took, seconds(12));
  cluster["c"]->stop();
  cluster.crash("c");
  ASSERT_TRUE(cluster.run_until([&] { return cluster.all_see("c", kLeft); }, seconds(5)));
  cluster.run(minutes(2));
  for (const char* name : {"a", "b"}) {
    EXPECT_EQ(cluster[name].count("leave c"), 1u);
    EXPECT_EQ(cluster[name].count("failed c"), 0u);
    EXPECT_TRUE(cluster[name].sees("c", kLeft));
  }
}

TEST(Serf, a_join_that_ends_during_a_leave_does_not_contradict_it) {
  TestCluster cluster;
  cluster.form({"a", "b", "c"});
  cluster.network().set_delay(milliseconds(300), Duration{0});
  std::optional<Result<std::size_t>> joined;
  cluster["c"]->join({cluster["b"].endpoint()}, false, [&](auto result) { joined = result; });
  ASSERT_TRUE(cluster.leave(cluster["c"]));
  EXPECT_TRUE(joined.has_value());
  ASSERT_TRUE(cluster.run_until([&] { return cluster.all_see("c", kLeft); }, seconds(5)));
  EXPECT_EQ(cluster["a"].count("failed c") + cluster["b"].count("failed c"), 0u);
}

TEST(Serf, a_lone_node_leaves_at_once) {
  TestCluster cluster;
  TestNode& a = cluster.add("a");
  const Duration began = cluster.network().timers().now();
  ASSERT_TRUE(cluster.leave(a));
  EXPECT_EQ(cluster.network().timers().now(), began);
  EXPECT_FALSE(cluster.leave(a));  // It did already.
}

TEST(Serf, a_leave_ends_when_nobody_answers) {
  TestCluster cluster;
  cluster.form({"a", "b"});
  cluster.network().cut(cluster["b"].endpoint());
  const Duration began = cluster.network().timers().now();
  ASSERT_TRUE(cluster.leave(cluster["b"]));
  EXPECT_LE(cluster.network().timers().now() - began, seconds(12));
}

TEST(Serf, who_dies_is_failed_and_is_forgotten_after_a_while) {
  TestCluster cluster;
  cluster.set_adjust([](Serf::Options& options) { options.reconnect_timeout = minutes(5); });
  cluster.form({"a", "b", "c"});
  cluster.crash("c");
  ASSERT_TRUE(cluster.run_until([&] { return cluster.all_see("c", kFailed); }, seconds(30)));
  EXPECT_EQ(cluster["a"].count("failed c"), 1u);
  cluster.run(minutes(4));
  EXPECT_TRUE(cluster.all_see("c", kFailed));
  cluster.run(minutes(2));
  EXPECT_TRUE(cluster.all_see("c", kGone));
  EXPECT_EQ(cluster["a"].count("reap c"), 1u);
  EXPECT_EQ(cluster["a"]->members().size(), 2u);
}

TEST(Serf, who_left_is_forgotten_after_the_tombstone_timeout) {
  TestCluster cluster;
  cluster.set_adjust([](Serf::Options& options) { options.tombstone_timeout = minutes(10); });
  cluster.form({"a", "b"});
  ASSERT_TRUE(cluster.leave(cluster["b"]));
  cluster.crash("b");
  cluster.run(minutes(9));
  EXPECT_TRUE(cluster["a"].sees("b", kLeft));
  cluster.run(minutes(2));
  EXPECT_TRUE(cluster["a"].sees("b", kGone));
  EXPECT_EQ(cluster["a"].count("reap b"), 1u);
}

TEST(Serf, a_death_without_a_leave_intent_counts_as_a_failure) {
  TestCluster cluster;
  cluster.form({"a", "b"});
  const std::uint32_t incarnation =
      cluster["a"]->memberlist().nodes().find("b")->record.incarnation;
  cluster.crash("b");
  cluster.network().inject(cluster["a"].endpoint(),
                           test_packet(encode(Dead{incarnation, "b", "b"})));
  EXPECT_TRUE(cluster["a"].sees("b", kFailed));
}

TEST(Serf, a_node_that_restarts_beats_the_record_of_its_earlier_life) {
  TestCluster cluster;
  cluster.form({"a", "b", "c"});
  for (int change = 0; change < 5; ++change) {  // Its incarnation grows.
    ASSERT_TRUE(cluster["c"]->set_tags({{"n", std::to_string(change)}}, [](Result<>) {}));
    cluster.run(seconds(2));
  }
  cluster.crash("c");
  ASSERT_TRUE(cluster.run_until([&] { return cluster.all_see("c", kFailed); }, seconds(30)));
  TestNode& again = cluster.restart("c", [](Serf::Options& o) { o.tags["life"] = "second"; });
  ASSERT_TRUE(cluster.join(again, cluster["a"].endpoint()));
  ASSERT_TRUE(cluster.run_until(
      [&] {
        return cluster.all_see("c", kAlive) && cluster["b"]->find("c")->tags().contains("life");
      },
      seconds(10)));
  EXPECT_EQ(cluster["a"].count("join c"), 2u);
  EXPECT_GT(again->memberlist().nodes().find("c")->record.incarnation, 5u);
  cluster.run(minutes(1));
  EXPECT_TRUE(cluster.all_see("c", kAlive));
}

TEST(Serf, a_node_that_restarts_before_anybody_missed_it_is_updated) {
  TestCluster cluster;
  cluster.form({"a", "b"});
  cluster.crash("b");
  TestNode& again = cluster.restart("b", [](Serf::Options& o) { o.tags["life"] = "second"; });
  ASSERT_TRUE(cluster.join(again, cluster["a"].endpoint()));
  cluster.run(seconds(5));
  EXPECT_EQ(cluster["a"]->find("b")->tags().at("life"), "second");
  EXPECT_EQ(cluster["a"].count("failed b"), 0u);
  EXPECT_EQ(cluster["a"].count("update b"), 1u);
}

TEST(Serf, who_left_may_come_back_elsewhere) {
  TestCluster cluster;
  cluster.form({"a", "b", "c"});
  ASSERT_TRUE(cluster.leave(cluster["c"]));
  cluster.crash("c");
  cluster.run(seconds(2));
  TestNode& again = cluster.add("c");
  ASSERT_TRUE(cluster.join(again, cluster["a"].endpoint()));
  ASSERT_TRUE(cluster.run_until([&] { return cluster.all_see("c", kAlive); }, seconds(10)));
  EXPECT_EQ(cluster["b"]->find("c")->endpoint, again.endpoint());
  EXPECT_FALSE(again.is_name_lost);
}

TEST(Serf, a_frozen_node_is_alive_again_when_it_thaws) {
  TestCluster cluster;
  cluster.form({"a", "b", "c"});
  const Endpoint frozen = cluster["c"].endpoint();
  cluster.network().cut(frozen);
  ASSERT_TRUE(cluster.run_until(
      [&] { return cluster["a"].sees("c", kFailed) && cluster["b"].sees("c", kFailed); },
      seconds(30)));
  cluster.network().mend(frozen);
  ASSERT_TRUE(cluster.run_until(
      [&] { return cluster.all_see("c", kAlive) && cluster.all_see("a", kAlive); }, minutes(3)));
  EXPECT_EQ(cluster["a"].count("join c"), 2u);
}

TEST(Serf, failed_members_are_joined_again_long_after_the_memberlist_forgot_them) {
  TestCluster cluster;
  cluster.form({"a", "b"});
  cluster.network().cut(cluster["b"].endpoint());
  ASSERT_TRUE(cluster.run_until(
      [&] { return cluster["a"].sees("b", kFailed) && cluster["b"].sees("a", kFailed); },
      seconds(60)));
  cluster.run(minutes(20));
  EXPECT_EQ(cluster["a"]->memberlist().nodes().find("b"), nullptr);
  cluster.network().mend(cluster["b"].endpoint());
  ASSERT_TRUE(cluster.run_until(
      [&] { return cluster.all_see("a", kAlive) && cluster.all_see("b", kAlive); }, minutes(2)));
}

TEST(Serf, a_failed_member_can_be_made_to_have_left) {
  TestCluster cluster;
  cluster.form({"a", "b", "c"});
  cluster.crash("c");
  ASSERT_TRUE(cluster.run_until([&] { return cluster.all_see("c", kFailed); }, seconds(30)));
  ASSERT_TRUE(cluster["a"]->force_leave("c", false));
  ASSERT_TRUE(cluster.run_until([&] { return cluster.all_see("c", kLeft); }, seconds(5)));
  cluster.run(seconds(1));
  EXPECT_EQ(cluster["b"].count("leave c"), 1u);
  EXPECT_EQ(cluster["b"].count("reap c"), 0u);
}

TEST(Serf, a_failed_member_can_be_pruned_everywhere) {
  TestCluster cluster;
  cluster.form({"a", "b", "c"});
  cluster.crash("c");
  ASSERT_TRUE(cluster.run_until([&] { return cluster.all_see("c", kFailed); }, seconds(30)));
  ASSERT_TRUE(cluster["a"]->force_leave("c", true));
  EXPECT_TRUE(cluster["a"].sees("c", kGone));
  ASSERT_TRUE(cluster.run_until([&] { return cluster.all_see("c", kGone); }, seconds(5)));
  cluster.run(seconds(1));
  EXPECT_EQ(cluster["b"].count("leave c"), 1u);
  EXPECT_EQ(cluster["b"].count("reap c"), 1u);
}

TEST(Serf, a_living_member_contradicts_being_made_to_leave) {
  for (const bool prune : {false, true}) {
    TestCluster cluster;
    cluster.form({"a", "b", "c"});
    cluster.run(seconds(5));  // The join intents are everywhere.
    ASSERT_TRUE(cluster["a"]->force_leave("c", prune));
    EXPECT_TRUE(cluster["a"].sees("c", kLeaving));
    ASSERT_TRUE(cluster.run_until([&] { return cluster.all_see("c", kAlive); }, seconds(5)));
    cluster.run(minutes(1));
    EXPECT_TRUE(cluster.all_see("c", kAlive)) << "prune " << prune;
    EXPECT_EQ(cluster["b"].count("leave c") + cluster["b"].count("reap c"), 0u);
  }
}

TEST(Serf, only_other_members_can_be_made_to_leave) {
  TestCluster cluster;
  cluster.form({"a", "b"});
  EXPECT_EQ(cluster["a"]->force_leave("x", false).error().code, ErrorCode::NotFound);
  EXPECT_EQ(cluster["a"]->force_leave("a", false).error().code, ErrorCode::InvalidArgument);
}

TEST(Serf, a_leave_intent_that_is_overtaken_by_a_join_intent_is_void) {
  TestCluster cluster;
  cluster.form({"a", "b"});
  TestNode& a = cluster["a"];
  cluster.network().inject(a.endpoint(), test_user_packet(encode(JoinIntent{20, "b"})));
  cluster.network().inject(a.endpoint(), test_user_packet(encode(LeaveIntent{19, "b", false})));
  EXPECT_TRUE(a.sees("b", kAlive));
  cluster.network().inject(a.endpoint(), test_user_packet(encode(LeaveIntent{21, "b", false})));
  EXPECT_TRUE(a.sees("b", kLeaving));
  cluster.network().inject(a.endpoint(), test_user_packet(encode(JoinIntent{22, "b"})));
  EXPECT_TRUE(a.sees("b", kAlive));
}

TEST(Serf, a_state_that_shows_a_leave_under_way_does_not_hide_its_intent) {
  TestCluster cluster;
  cluster.form({"a", "b"});
  cluster.network().cut(cluster["b"].endpoint());
  const std::string intent = test_user_packet(encode(LeaveIntent{50, "b", false}));
  cluster.network().inject(cluster["a"].endpoint(), intent);
  EXPECT_TRUE(cluster["a"].sees("b", kLeaving));
  TestNode& c = cluster.add("c", [](Serf::Options& o) { o.profile.gossip_interval = hours(1); });
  PushPull state;
  state.is_join = true;
  const auto reply = cluster["a"].on_stream(state);
  ASSERT_TRUE(reply.has_value());
  ASSERT_TRUE(c.on_stream(*reply).has_value());
  EXPECT_TRUE(c.sees("b", kAlive));
  cluster.network().inject(c.endpoint(), intent);
  EXPECT_TRUE(c.sees("b", kLeaving));
}

TEST(Serf, an_intent_may_come_before_the_node_it_is_about) {
  TestCluster cluster;
  TestNode& a = cluster.add("a");
  cluster.network().inject(a.endpoint(), test_user_packet(encode(LeaveIntent{7, "b", false})));
  const Alive alive{1, "b", test_endpoint(50).ip, 8946, encode_tags({}), {}};
  cluster.network().inject(a.endpoint(), test_packet(encode(alive)));
  EXPECT_TRUE(a.sees("b", kLeaving));
  cluster.network().inject(a.endpoint(), test_packet(encode(Dead{1, "b", "b"})));
  EXPECT_TRUE(a.sees("b", kLeft));
}

TEST(Serf, who_left_stays_left_for_those_who_hear_it_from_a_third) {
  TestCluster cluster;
  cluster.form({"a", "b"});
  cluster.add("c");
  ASSERT_TRUE(cluster.join(cluster["c"], cluster["a"].endpoint()));
  // What c never heard by gossip, it takes from a's state.
  cluster.network().cut(cluster["c"].endpoint());
  ASSERT_TRUE(cluster.leave(cluster["b"]));
  cluster.crash("b");
  cluster.network().mend(cluster["c"].endpoint());
  ASSERT_TRUE(cluster.run_until([&] { return cluster["c"].sees("b", kLeft); }, minutes(3)));
  EXPECT_EQ(cluster["a"].count("failed b"), 0u);
}

}  // namespace
}  // namespace dkron::gossip
