// User events: once each, in any order, and what is too old.
#include <gtest/gtest.h>

#include "gossip/test_cluster.h"

namespace dkron::gossip {
namespace {

std::string packet_of(const UserEvent& event) {
  return test_user_packet(encode(event));
}

TEST(SerfEvents, reach_every_member_once) {
  TestCluster cluster;
  cluster.form({"a", "b", "c", "d"});
  ASSERT_TRUE(cluster["a"]->send_event("deploy", std::string(300, 'x'), false));
  ASSERT_TRUE(cluster["b"]->send_event("deploy", "b", false));
  cluster.run(minutes(2));  // With exchanges of whole states among them.
  for (const char* name : {"a", "b", "c", "d"}) {
    EXPECT_EQ(cluster[name].events.size(), 2u) << name;
    EXPECT_EQ(cluster[name]->counters().events, 2u) << name;
  }
}

TEST(SerfEvents, reach_one_who_hears_of_them_only_through_another) {
  TestCluster cluster;
  cluster.form({"a", "b", "c"});
  cluster.network().set_link_loss(cluster["a"].endpoint(), cluster["c"].endpoint(), 1);
  ASSERT_TRUE(cluster["a"]->send_event("deploy", "1", false));
  ASSERT_TRUE(cluster.run_until([&] { return cluster["c"].events.size() == 1; }, seconds(90)));
  EXPECT_EQ(cluster["c"].events.front().payload, "1");
}

TEST(SerfEvents, come_in_any_order_and_more_than_one_of_one_time) {
  TestCluster cluster;
  TestNode& a = cluster.add("a");
  const std::vector<UserEvent> events{{9, "e", "1", false}, {3, "e", "1", false},
                                      {9, "e", "2", false}, {9, "e", "1", false},
                                      {3, "f", "1", false}, {3, "e", "1", false}};
  for (const UserEvent& event : events) cluster.network().inject(a.endpoint(), packet_of(event));
  cluster.run(seconds(1));
  ASSERT_EQ(a.events.size(), 4u);
  EXPECT_EQ(a.events[1].time, 3u);
  EXPECT_EQ(a.events[3].name, "f");
  EXPECT_EQ(a->clocks().event, 9u);
}

TEST(SerfEvents, of_long_ago_are_dropped) {
  TestCluster cluster;
  TestNode& a = cluster.add("a");
  cluster.network().inject(a.endpoint(), packet_of({1000, "new", "", false}));
  cluster.network().inject(a.endpoint(), packet_of({488, "old", "", false}));
  cluster.network().inject(a.endpoint(), packet_of({489, "just in time", "", false}));
  cluster.run(seconds(1));
  ASSERT_EQ(a.events.size(), 2u);
  EXPECT_EQ(a.events[1].name, "just in time");
}

TEST(SerfEvents, of_the_past_are_replayed_to_who_joins) {
  TestCluster cluster;
  TestNode& a = cluster.add("a");
  ASSERT_TRUE(a->send_event("deploy", "1", true));
  TestNode& b = cluster.add("b");
  ASSERT_TRUE(cluster.join(b, a.endpoint()));
  cluster.run(seconds(1));
  ASSERT_EQ(b.events.size(), 1u);
  EXPECT_FALSE(b.events.front().may_coalesce);
}

TEST(SerfEvents, of_the_past_are_not_replayed_to_who_asks_for_it) {
  TestCluster cluster;
  TestNode& a = cluster.add("a");
  ASSERT_TRUE(a->send_event("old", "", false));
  cluster.run(minutes(5));  // Gossip of it has ended.
  TestNode& b = cluster.add("b");
  ASSERT_TRUE(cluster.join(b, a.endpoint(), true));
  ASSERT_TRUE(a->send_event("new", "", false));
  cluster.run(minutes(2));
  ASSERT_EQ(b.events.size(), 1u);
  EXPECT_EQ(b.events.front().name, "new");
}

TEST(SerfEvents, of_an_earlier_life_are_not_delivered_again) {
  TestCluster cluster;
  cluster.form({"a", "b"});
  ASSERT_TRUE(cluster["a"]->send_event("seen", "", false));
  cluster.run(seconds(5));
  const Serf::Clocks clocks = cluster["b"]->clocks();
  EXPECT_EQ(clocks.event, 1u);
  cluster.crash("b");

  TestNetwork& network = cluster.network();
  SeededRandom random(1);
  Framing framing;
  const auto transport = network.make_transport(test_endpoint(77));
  std::vector<std::string> heard;
  Serf::Handlers handlers;
  handlers.on_user_event = [&](const UserEvent& event) { heard.push_back(event.name); };
  Serf::Options options;
  options.name = "b";
  options.advertise = test_endpoint(77);
  auto serf =
      Serf::make(options, handlers, {network.timers(), random, *transport, framing}).value();
  serf->restore(clocks);
  serf->start();
  EXPECT_EQ(serf->clocks().event, 1u);
  for (const LamportTime time : {1u, 2u}) {
    serf->on_packet(test_endpoint(1), packet_of({time, "time " + std::to_string(time), "", false}));
  }
  network.run(seconds(1));
  EXPECT_EQ(heard, (std::vector<std::string>{"time 2"}));
}

TEST(SerfEvents, that_are_too_large_are_refused) {
  TestCluster cluster;
  TestNode& a = cluster.add("a");
  EXPECT_EQ(a->send_event("e", std::string(512, 'x'), false).error().code, ErrorCode::TooLarge);
  // Fits before it is encoded, not after.
  EXPECT_EQ(a->send_event("e", std::string(505, 'x'), false).error().code, ErrorCode::TooLarge);
  EXPECT_TRUE(a->send_event("e", std::string(400, 'x'), false));
}

TEST(SerfEvents, of_others_that_fit_no_packet_are_taken_but_not_passed_on) {
  TestCluster cluster;
  // An exchange of whole states would bring it.
  cluster.set_adjust([](Serf::Options& o) { o.profile.push_pull_interval = hours(10'000); });
  cluster.form({"a", "b"});
  cluster.network().inject(cluster["a"].endpoint(),
                           packet_of({5, "large", std::string(4000, 'x'), false}));
  cluster.run(seconds(1));
  EXPECT_EQ(cluster["a"].events.size(), 1u);
  EXPECT_EQ(cluster["a"]->counters().messages_too_large, 1u);
  EXPECT_EQ(cluster["b"].events.size(), 0u);
}

TEST(SerfEvents, of_one_name_are_coalesced_to_the_latest_time) {
  TestCluster cluster;
  cluster.set_adjust([](Serf::Options& options) { options.coalesce_period = seconds(3); });
  TestNode& a = cluster.add("a");
  for (const UserEvent& event :
       {UserEvent{5, "deploy", "old", true}, UserEvent{7, "deploy", "1", true},
        UserEvent{7, "deploy", "2", true}, UserEvent{6, "deploy", "late", true},
        UserEvent{6, "other", "", true}, UserEvent{8, "deploy", "at once", false}}) {
    cluster.network().inject(a.endpoint(), packet_of(event));
  }
  cluster.run(milliseconds(1));
  ASSERT_EQ(a.events.size(), 1u);
  EXPECT_EQ(a.events[0].payload, "at once");
  cluster.run(milliseconds(1100));  // The quiet time is over.
  ASSERT_EQ(a.events.size(), 4u);
  EXPECT_EQ(a.events[1].payload, "1");
  EXPECT_EQ(a.events[2].payload, "2");
  EXPECT_EQ(a.events[3].name, "other");
}

}  // namespace
}  // namespace dkron::gossip
