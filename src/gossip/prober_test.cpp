// How the memberlist finds out who lives: pings, detours, its own health.
#include "gossip/memberlist_fixture.h"

namespace dkron::gossip {
namespace {

// ---- Pings

TEST_F(MemberlistTest, answers_a_ping_where_its_source_fields_say) {
  hear(Ping{7, "self", ip("10.0.0.5"), 99, "n5"}, at(9));
  auto acks = net_.take<Ack>();
  ASSERT_EQ(acks.size(), 1U);
  EXPECT_EQ(acks[0].first, at(5, 99));
  EXPECT_EQ(acks[0].second.sequence, 7U);
  EXPECT_EQ(acks[0].second.payload, "coordinate");
}

TEST_F(MemberlistTest, answers_a_ping_without_source_fields_to_its_sender) {
  hear(Ping{7, "", {}, 0, ""}, at(9, 1234));
  auto acks = net_.take<Ack>();
  ASSERT_EQ(acks.size(), 1U);
  EXPECT_EQ(acks[0].first, at(9, 1234));
}

TEST_F(MemberlistTest, ignores_a_ping_for_another_name) {
  hear(Ping{7, "somebody else", {}, 0, ""});
  EXPECT_TRUE(net_.take<Ack>().empty());
}

TEST_F(MemberlistTest, tells_the_round_trip_and_payload_of_an_answered_ping) {
  learn(1);
  const auto [to, ping] = next_ping();
  EXPECT_EQ(to, at(2));
  EXPECT_EQ(ping.node, "n2");
  EXPECT_EQ(ping.source_node, "self");
  pass(milliseconds(3));
  hear(Ack{ping.sequence, "their coordinate"});
  EXPECT_EQ(net_.take_events(), Events{"pinged n2 3ms their coordinate"});
  pass(seconds(1));
  EXPECT_EQ(state_of("n2"), NodeState::Alive);
}

TEST_F(MemberlistTest, passes_a_ping_on_and_brings_back_the_ack_without_payload) {
  hear(IndirectPing{50, ip("10.0.0.3"), 8946, "n3", true, ip("10.0.0.2"), 8946, "n2"});
  const auto [to, ping] = next_ping();
  EXPECT_EQ(to, at(3));
  EXPECT_NE(ping.sequence, 50U);
  hear(Ack{ping.sequence, "c"}, at(3));
  const auto acks = net_.take<Ack>();
  ASSERT_EQ(acks.size(), 1U);
  EXPECT_EQ(acks[0].first, at(2));
  EXPECT_EQ(acks[0].second.sequence, 50U);
  EXPECT_EQ(acks[0].second.payload, "");
  pass(seconds(1));
  EXPECT_TRUE(net_.take<Nack>().empty());
}

TEST_F(MemberlistTest, says_that_a_passed_on_ping_was_not_answered_if_asked_to) {
  hear(IndirectPing{50, ip("10.0.0.3"), 8946, "n3", true, {}, 0, ""}, at(2));
  hear(IndirectPing{51, ip("10.0.0.3"), 8946, "n3", false, {}, 0, ""}, at(2));
  pass(milliseconds(499));
  EXPECT_TRUE(net_.take<Nack>().empty());
  pass(milliseconds(1));
  const auto nacks = net_.take<Nack>();
  ASSERT_EQ(nacks.size(), 1U);
  EXPECT_EQ(nacks[0].second.sequence, 50U);
}

TEST_F(MemberlistTest, asks_through_others_and_over_tcp_before_it_suspects) {
  learn(5);
  const auto [to, ping] = next_ping();
  pass(milliseconds(500));
  auto indirect = net_.take<IndirectPing>();
  EXPECT_EQ(indirect.size(), 3U);
  for (const auto& [relay, request] : indirect) {
    EXPECT_NE(relay, to);
    EXPECT_EQ(request.sequence, ping.sequence);
    EXPECT_TRUE(request.wants_nack);
    EXPECT_EQ(request.node, ping.node);
  }
  ASSERT_EQ(net_.exchanges.size(), 1U);
  EXPECT_EQ(net_.exchanges[0].to, to);
  EXPECT_EQ(net_.exchanges[0].timeout, milliseconds(500));
  pass(milliseconds(499));
  EXPECT_EQ(state_of(ping.node), NodeState::Alive);
  pass(milliseconds(1));
  EXPECT_EQ(state_of(ping.node), NodeState::Suspect);
}

TEST_F(MemberlistTest, an_ack_through_another_node_saves_the_target) {
  learn(3);
  const auto [to, ping] = next_ping();
  pass(milliseconds(600));
  hear(Ack{ping.sequence, ""});
  pass(milliseconds(400));
  EXPECT_EQ(state_of(ping.node), NodeState::Alive);
}

TEST_F(MemberlistTest, an_ack_over_tcp_saves_the_target) {
  learn(1);
  const auto [to, ping] = next_ping();
  pass(milliseconds(600));
  ASSERT_EQ(net_.exchanges.size(), 1U);
  net_.exchanges[0].reply(StreamMessage(Ack{ping.sequence, ""}));
  pass(milliseconds(400));
  EXPECT_EQ(state_of("n2"), NodeState::Alive);
}

TEST_F(MemberlistTest, an_ack_over_tcp_with_another_number_does_not) {
  learn(1);
  const auto [to, ping] = next_ping();
  pass(milliseconds(600));
  net_.exchanges.at(0).reply(StreamMessage(Ack{ping.sequence + 1, ""}));
  pass(milliseconds(400));
  EXPECT_EQ(state_of("n2"), NodeState::Suspect);
}

TEST_F(MemberlistTest, asks_a_node_without_fallback_support_over_udp_only) {
  Alive old = alive(2);
  old.versions.protocol_max = 2;
  hear(old);
  unanswered_ping();
  EXPECT_TRUE(net_.exchanges.empty());
}

TEST_F(MemberlistTest, tells_a_suspect_of_the_suspicion_with_the_ping) {
  learn(1);
  unanswered_ping();
  ASSERT_EQ(state_of("n2"), NodeState::Suspect);
  net_.packets.clear();
  next_ping();
  const auto suspects = net_.take<Suspect>();
  ASSERT_FALSE(suspects.empty());
  EXPECT_EQ(suspects[0].first, at(2));
  EXPECT_EQ(suspects[0].second.from, "self");
}

TEST_F(MemberlistTest, probes_every_node_in_turn) {
  learn(10);
  std::set<std::string> asked;
  for (int i = 0; i < 10; ++i) {
    const auto [to, ping] = next_ping();
    asked.insert(ping.node);
    hear(Ack{ping.sequence, ""});
  }
  EXPECT_EQ(asked.size(), 10U);
}

// ---- Health

TEST_F(MemberlistTest, loses_health_when_relays_are_silent_and_asks_more_patiently) {
  learn(4);
  unanswered_ping();
  EXPECT_EQ(list_->health_score(), 3);
  // The round now lasts four intervals.
  const auto [to, ping] = next_ping();
  pass(milliseconds(3999));
  EXPECT_EQ(state_of(ping.node), NodeState::Alive);
  pass(milliseconds(1));
  EXPECT_EQ(state_of(ping.node), NodeState::Suspect);
}

TEST_F(MemberlistTest, keeps_its_health_when_relays_say_that_they_could_not_reach_the_target) {
  learn(4);
  const auto [to, ping] = next_ping();
  for (int i = 0; i < 3; ++i) hear(Nack{ping.sequence});
  pass(seconds(1));
  EXPECT_EQ(state_of(ping.node), NodeState::Suspect);
  EXPECT_EQ(list_->health_score(), 0);
}

TEST_F(MemberlistTest, gains_health_with_every_answer) {
  learn(4);
  unanswered_ping();
  ASSERT_EQ(list_->health_score(), 3);
  for (int expected = 2; expected >= 0; --expected) {
    hear(Ack{next_ping().second.sequence, ""});
    EXPECT_EQ(list_->health_score(), expected);
  }
}

}  // namespace
}  // namespace dkron::gossip
