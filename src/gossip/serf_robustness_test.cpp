// Serf in use: handlers that call back, hostile bytes, losses, coordinates.
#include <gtest/gtest.h>

#include <random>

#include "gossip/test_cluster.h"

namespace dkron::gossip {
namespace {

constexpr MemberStatus kAlive = MemberStatus::Alive;
constexpr MemberStatus kGone = MemberStatus::None;  // Not a member.

TEST(SerfRobustness, coordinates_estimate_round_trips) {
  TestCluster cluster;
  cluster.network().set_delay(milliseconds(20), Duration{0});
  cluster.form({"a", "b", "c"});
  EXPECT_EQ(cluster["a"]->round_trip("a", "nobody"), std::nullopt);
  cluster.run(minutes(10));
  for (const auto& [from, to] : {std::pair{"a", "b"}, {"b", "c"}, {"a", "c"}}) {
    const auto estimate = cluster["a"]->round_trip(from, to);
    ASSERT_TRUE(estimate) << from << to;
    EXPECT_GT(*estimate, milliseconds(20)) << from << to;
    EXPECT_LT(*estimate, milliseconds(80)) << from << to;
  }
  EXPECT_EQ(cluster["a"]->counters().coordinates_refused, 0u);
}

TEST(SerfRobustness, a_handler_may_call_back_into_serf) {
  TestCluster cluster;
  cluster.form({"a", "b"});
  TestNode& a = cluster["a"];
  a.on_member_event = [&](const MemberEvent& event) {
    if (event.type == MemberEvent::Type::Failed) {
      EXPECT_TRUE(a->force_leave(event.members.front().name, true));
      EXPECT_TRUE(a->set_tags({{"lost", event.members.front().name}}, [](Result<>) {}));
    }
    if (event.type == MemberEvent::Type::Reap) a->stop();
  };
  cluster.crash("b");
  cluster.run(minutes(1));
  EXPECT_TRUE(a.sees("b", kGone));
  EXPECT_EQ(a->local().tags().at("lost"), "b");
  EXPECT_EQ(a.news.back(), "reap b");
}

TEST(SerfRobustness, events_of_a_member_are_coalesced_to_the_latest) {
  TestCluster cluster;
  cluster.set_adjust([](Serf::Options& options) { options.coalesce_period = seconds(3); });
  TestNode& a = cluster.add("a");
  cluster.run(seconds(5));
  EXPECT_EQ(a.news, (std::vector<std::string>{"join a"}));
  TestNode& b = cluster.add("b");
  ASSERT_TRUE(cluster.join(b, a.endpoint()));
  ASSERT_TRUE(b->set_tags({{"port", "1"}}, [](Result<>) {}));
  cluster.run(seconds(5));
  EXPECT_EQ(a.news, (std::vector<std::string>{"join a", "update b"}));
}

TEST(SerfRobustness, hostile_bytes_only_count) {
  TestCluster cluster;
  cluster.form({"a", "b"});
  TestNode& a = cluster["a"];
  std::uint64_t dropped = 0;
  for (const std::string& message :
       {std::string(), std::string("\x00", 1), std::string("\x01\x81\xa4Node", 7),
        std::string("\x02\x90", 2), std::string("\x03\xc1", 2),
        std::string("\x04\xdf\xff\xff\xff\xff"), std::string("\x05"), std::string("\x09\x80"),
        std::string("\x63zzz")}) {
    cluster.network().inject(a.endpoint(), test_user_packet(message));
    ++dropped;
  }
  EXPECT_EQ(a->counters().messages_dropped + a->memberlist().counters().messages_dropped, dropped);
  cluster.run(seconds(30));
  EXPECT_TRUE(cluster.all_see("a", kAlive));
  EXPECT_TRUE(cluster.all_see("b", kAlive));
}

TEST(SerfRobustness, a_malformed_state_of_serf_does_not_spoil_the_exchange) {
  TestCluster cluster;
  TestNode& a = cluster.add("a");
  PushPull state;
  state.is_join = true;
  NodeRecord b;
  b.name = "b";
  b.ip = test_endpoint(50).ip;
  b.port = 8946;
  b.meta = "\xff\x80";
  b.incarnation = 1;
  state.nodes.push_back(b);
  state.user_state = "\x02\x81\xa5LTime\xc1";
  ASSERT_TRUE(a.on_stream(state).has_value());
  EXPECT_TRUE(a.sees("b", kAlive));
  EXPECT_EQ(a->counters().messages_dropped, 1u);
}

TEST(SerfRobustness, a_stopped_one_is_deaf_and_dumb) {
  TestCluster cluster;
  cluster.form({"a", "b"});
  TestNode& a = cluster["a"];
  const std::size_t heard = a.news.size();
  a->stop();
  const std::uint64_t packets = a->memberlist().counters().packets_out;
  cluster.crash("b");
  cluster.run(minutes(1));
  EXPECT_EQ(a.news.size(), heard);
  EXPECT_EQ(a->memberlist().counters().packets_out, packets);
  EXPECT_FALSE(a->send_event("late", "", false));
  EXPECT_FALSE(a->send_query("late", "", {}, {}));
  EXPECT_FALSE(a->set_tags({}, [](Result<>) {}));
  EXPECT_FALSE(a->force_leave("b", false));
}

TEST(SerfRobustness, a_cluster_stays_whole_in_spite_of_losses) {
  const std::uint64_t seed = test_seed(std::random_device{}());
  SCOPED_TRACE("SEED=" + std::to_string(seed));
  TestCluster cluster(seed);
  cluster.form({"a", "b", "c", "d", "e", "f"});
  cluster.network().set_loss(0.1);
  cluster.run(minutes(10));
  cluster.network().set_loss(0);
  const bool is_whole = cluster.run_until(
      [&] {
        for (const char* name : {"a", "b", "c", "d", "e", "f"}) {
          if (!cluster.all_see(name, kAlive)) return false;
        }
        return true;
      },
      minutes(2));
  EXPECT_TRUE(is_whole);
}

}  // namespace
}  // namespace dkron::gossip
