// What the memberlist says to what it hears of nodes: alive, suspect, dead, states, leaving.
#include "gossip/memberlist_fixture.h"

namespace dkron::gossip {
namespace {

// ---- Alive

TEST_F(MemberlistTest, learns_a_node_once_and_passes_it_on) {
  hear(alive(2));
  hear(alive(2));
  EXPECT_EQ(net_.take_events(), Events{"join n2"});
  pass(milliseconds(200));
  const auto gossiped = net_.take<Alive>();
  EXPECT_TRUE(std::ranges::any_of(gossiped, [](const auto& a) { return a.second.node == "n2"; }));
}

TEST_F(MemberlistTest, takes_a_new_meta_only_with_a_higher_incarnation) {
  hear(alive(2, 3, "first"));
  net_.take_events();
  hear(alive(2, 3, "second"));
  hear(alive(2, 2, "third"));
  EXPECT_EQ(net_.take_events(), Events{});
  hear(alive(2, 4, "fourth"));
  EXPECT_EQ(net_.take_events(), Events{"update n2 fourth"});
}

TEST_F(MemberlistTest, reports_two_addresses_for_one_name_and_keeps_the_first) {
  learn(1);
  hear(alive_at("n2", at(77), 9));
  EXPECT_EQ(net_.take_events(), Events{"conflict n2 10.0.0.77:8946"});
  EXPECT_EQ(list_->nodes().find("n2")->endpoint(), at(2));
}

TEST_F(MemberlistTest, lets_a_node_that_left_come_back_with_another_address) {
  learn(1);
  hear(Dead{1, "n2", "n2"});
  EXPECT_EQ(net_.take_events(), Events{"left n2"});
  hear(alive_at("n2", at(77), 1));
  EXPECT_EQ(net_.take_events(), Events{"join n2"});
  EXPECT_EQ(list_->nodes().find("n2")->endpoint(), at(77));
}

TEST_F(MemberlistTest, refuses_a_node_that_the_layer_above_does_not_want) {
  hear(alive(2, 1, "foreign"));
  EXPECT_EQ(list_->nodes().find("n2"), nullptr);
  EXPECT_EQ(list_->counters().messages_dropped, 1U);
  EXPECT_EQ(net_.take_events(), Events{});
}

TEST_F(MemberlistTest, an_address_that_is_mapped_ipv4_is_the_same_address) {
  hear(alive_at("n2", {ip("10.0.0.2"), 8946}, 1));
  hear(alive_at("n2", {ip("::ffff:10.0.0.2"), 8946}, 2));
  EXPECT_EQ(net_.take_events(), Events{"join n2"});
}

TEST_F(MemberlistTest, learns_no_more_nodes_than_its_table_holds) {
  for (std::size_t i = 0; i < NodeTable::kMaxNodes + 5; ++i) {
    hear(alive_at("node" + std::to_string(i), at(3), 1));
  }
  EXPECT_EQ(list_->nodes().size(), NodeTable::kMaxNodes);
}

// ---- Accusations against us

TEST_F(MemberlistTest, refutes_a_suspicion_with_an_incarnation_above_it) {
  learn(1);
  net_.take<Alive>();
  hear(Suspect{5, "self", "n2"});
  EXPECT_EQ(list_->nodes().find("self")->record.incarnation, 6U);
  EXPECT_EQ(list_->health_score(), 1);
  pass(milliseconds(200));
  const auto gossiped = net_.take<Alive>();
  EXPECT_TRUE(std::ranges::any_of(gossiped, [](const auto& a) {
    return a.second.node == "self" && a.second.incarnation == 6;
  }));
}

TEST_F(MemberlistTest, refutes_its_own_death_and_what_an_earlier_life_announced) {
  hear(Dead{1, "self", "n2"});
  EXPECT_EQ(list_->nodes().find("self")->record.incarnation, 2U);
  Alive earlier = alive_at("self", at(1), 40);
  hear(earlier);
  EXPECT_EQ(list_->nodes().find("self")->record.incarnation, 41U);
  EXPECT_EQ(list_->counters().refutations, 2U);
}

TEST_F(MemberlistTest, ignores_its_own_words_that_come_back) {
  hear(Alive{1, "self", at(1).ip, 8946, "meta", {}});
  EXPECT_EQ(list_->counters().refutations, 0U);
  EXPECT_EQ(net_.take_events(), Events{});
}

// ---- Suspicion and death of others

TEST_F(MemberlistTest, a_suspect_that_does_not_answer_dies_after_the_suspicion_time) {
  learn(1);
  hear(Suspect{1, "n2", "n9"});
  pass(milliseconds(3999));
  EXPECT_EQ(state_of("n2"), NodeState::Suspect);
  pass(milliseconds(1));
  EXPECT_EQ(state_of("n2"), NodeState::Dead);
  EXPECT_EQ(net_.take_events(), Events{"dead n2"});
}

TEST_F(MemberlistTest, confirmations_of_others_shorten_the_suspicion) {
  learn(9);
  hear(Suspect{1, "n2", "a"});
  hear(Suspect{1, "n2", "a"});
  hear(Suspect{1, "n2", "b"});
  hear(Suspect{1, "n2", "c"});
  pass(milliseconds(4000));
  EXPECT_EQ(state_of("n2"), NodeState::Dead);
}

TEST_F(MemberlistTest, only_a_higher_incarnation_ends_a_suspicion) {
  learn(1);
  hear(Suspect{1, "n2", "n9"});
  hear(alive(2, 1));
  EXPECT_EQ(state_of("n2"), NodeState::Suspect);
  hear(alive(2, 2));
  EXPECT_EQ(state_of("n2"), NodeState::Alive);
  EXPECT_EQ(net_.take_events(), Events{});
}

TEST_F(MemberlistTest, old_accusations_count_nothing) {
  hear(alive(2, 5));
  hear(Suspect{4, "n2", "n9"});
  hear(Dead{4, "n2", "n9"});
  EXPECT_EQ(state_of("n2"), NodeState::Alive);
}

TEST_F(MemberlistTest, forgets_the_dead_after_a_while_so_that_the_name_is_free) {
  learn(1);
  hear(Dead{1, "n2", "n9"});
  pass(seconds(40));
  EXPECT_EQ(list_->nodes().find("n2"), nullptr);
}

TEST_F(MemberlistTest, gossips_to_the_newly_dead_but_not_to_those_who_left) {
  learn(1);
  pass(seconds(10));
  hear(Dead{1, "n2", "n9"});
  net_.packets.clear();
  hear(alive_at("later", at(50), 1));
  pass(milliseconds(400));
  EXPECT_TRUE(std::ranges::any_of(net_.packets, [](const auto& p) { return p.to == at(2); }));
  hear(alive(2, 2));
  hear(Dead{2, "n2", "n2"});
  net_.packets.clear();
  hear(alive_at("latest", at(51), 1));
  pass(milliseconds(400));
  EXPECT_FALSE(std::ranges::any_of(net_.packets, [](const auto& p) { return p.to == at(2); }));
}

// ---- States

NodeRecord record(int number, NodeState state, std::uint32_t incarnation = 1) {
  NodeRecord node;
  node.name = "n" + std::to_string(number);
  node.ip = at(number).ip;
  node.port = 8946;
  node.meta = "m";
  node.incarnation = incarnation;
  node.state = state;
  return node;
}

TEST_F(MemberlistTest, answers_a_joining_node_with_what_it_knew_before) {
  const auto reply = list_->on_stream(PushPull{true, {record(2, NodeState::Alive)}, "theirs"});
  ASSERT_TRUE(reply);
  const auto& state = std::get<PushPull>(*reply);
  EXPECT_TRUE(state.is_join);
  ASSERT_EQ(state.nodes.size(), 1U);
  EXPECT_EQ(state.nodes[0].name, "self");
  EXPECT_EQ(state.user_state, "joining");
  EXPECT_EQ(net_.take_events(), (Events{"join n2", "merge theirs"}));
}

TEST_F(MemberlistTest, believes_hearsay_of_a_death_only_as_a_suspicion) {
  learn(3);
  list_->on_stream(PushPull{
      false,
      {record(2, NodeState::Dead), record(3, NodeState::Suspect), record(4, NodeState::Left)},
      ""});
  EXPECT_EQ(state_of("n2"), NodeState::Suspect);
  EXPECT_EQ(state_of("n3"), NodeState::Suspect);
  EXPECT_EQ(state_of("n4"), NodeState::Left);
}

TEST_F(MemberlistTest, refuses_a_state_whose_protocols_do_not_fit_and_says_so) {
  NodeRecord future = record(2, NodeState::Alive);
  future.versions = {6, 9, 7, 2, 5, 4};
  const auto reply = list_->on_stream(PushPull{true, {future}, ""});
  ASSERT_TRUE(reply);
  EXPECT_NE(std::get<RemoteError>(*reply).message.find("protocol"), std::string::npos);
  EXPECT_EQ(list_->nodes().size(), 1U);
}

TEST_F(MemberlistTest, refuses_a_state_with_members_of_another_cluster_and_says_so) {
  NodeRecord foreign = record(2, NodeState::Alive);
  foreign.meta = "foreign";
  const auto reply = list_->on_stream(PushPull{true, {record(3, NodeState::Alive), foreign}, ""});
  ASSERT_TRUE(reply);
  EXPECT_EQ(std::get<RemoteError>(*reply).message, "another cluster");
  EXPECT_EQ(list_->nodes().size(), 1U);
}

TEST_F(MemberlistTest, joins_by_exchanging_states) {
  Result<> joined = fail(ErrorCode::Internal, "not called");
  list_->join(at(2), [&](Result<> done) { joined = std::move(done); });
  ASSERT_EQ(net_.exchanges.size(), 1U);
  EXPECT_TRUE(std::get<PushPull>(net_.exchanges[0].request).is_join);
  net_.exchanges[0].reply(StreamMessage(PushPull{true, {record(2, NodeState::Alive)}, ""}));
  EXPECT_TRUE(joined);
  EXPECT_EQ(state_of("n2"), NodeState::Alive);
}

TEST_F(MemberlistTest, a_join_fails_with_the_reason_of_the_remote) {
  Result<> joined;
  list_->join(at(2), [&](Result<> done) { joined = std::move(done); });
  net_.exchanges.at(0).reply(StreamMessage(RemoteError{"not you"}));
  ASSERT_FALSE(joined);
  EXPECT_EQ(joined.error().message, "the remote says: not you");
}

TEST_F(MemberlistTest, exchanges_states_with_a_living_member_now_and_then) {
  learn(1);
  for (int i = 0; i < 31; ++i) {
    for (const auto& [to, ping] : net_.take<Ping>()) hear(Ack{ping.sequence, ""});
    pass(seconds(1));
  }
  const auto is_state = [](const Recorder::Exchange& e) {
    return std::holds_alternative<PushPull>(e.request);
  };
  EXPECT_GE(std::ranges::count_if(net_.exchanges, is_state), 1);
}

TEST_F(MemberlistTest, answers_a_ping_over_tcp_that_is_for_us) {
  const auto reply = list_->on_stream(Ping{12, "self", {}, 0, ""});
  ASSERT_TRUE(reply);
  EXPECT_EQ(std::get<Ack>(*reply).sequence, 12U);
  EXPECT_FALSE(list_->on_stream(Ping{12, "other", {}, 0, ""}));
}

// ---- Update and leave

TEST_F(MemberlistTest, an_update_is_done_when_it_was_sent_often_enough) {
  learn(1);
  bool is_done = false;
  list_->update("new", [&](const Result<>& told) { is_done = told.has_value(); });
  EXPECT_EQ(net_.take_events(), Events{"update self new"});
  EXPECT_FALSE(is_done);
  pass(seconds(3));
  EXPECT_TRUE(is_done);
}

TEST_F(MemberlistTest, an_update_alone_is_done_at_once) {
  bool is_done = false;
  list_->update("new", [&](const Result<>&) { is_done = true; });
  EXPECT_TRUE(is_done);
}

TEST_F(MemberlistTest, leaves_with_a_death_of_its_own_and_refutes_nothing_any_more) {
  learn(1);
  bool is_done = false;
  list_->leave(seconds(5), [&](const Result<>& told) { is_done = told.has_value(); });
  pass(seconds(3));
  EXPECT_TRUE(is_done);
  const auto deaths = net_.take<Dead>();
  ASSERT_FALSE(deaths.empty());
  EXPECT_EQ(deaths[0].second.node, "self");
  EXPECT_EQ(deaths[0].second.from, "self");
  hear(Suspect{99, "self", "n2"});
  hear(Alive{99, "self", at(1).ip, 8946, "x", {}});
  EXPECT_EQ(state_of("self"), NodeState::Left);
  EXPECT_EQ(list_->counters().refutations, 0U);
  hear(Ping{1, "self", {}, 0, ""});
  EXPECT_EQ(net_.take<Ack>().size(), 1U);
}

// ---- Bad packets

TEST_F(MemberlistTest, counts_and_drops_what_it_cannot_read) {
  const Keyring ring = *Keyring::make({std::string(16, 'k')});
  const Framing encrypted{"", &ring, false};
  const std::string ping = encode(Ping{1, "self", {}, 0, ""});
  list_->on_packet(at(9), seal_packet({ping}, false, encrypted));
  list_->on_packet(at(9), "");
  list_->on_packet(at(9), ping.substr(0, ping.size() / 2));
  EXPECT_EQ(list_->counters().packets_dropped + list_->counters().messages_dropped, 3U);
  EXPECT_TRUE(net_.take<Ack>().empty());
}

TEST_F(MemberlistTest, a_reply_that_comes_after_the_end_is_ignored) {
  list_->join(at(2), [](const Result<>&) { FAIL() << "called after the end"; });
  list_->stop();
  list_.reset();
  net_.exchanges.at(0).reply(StreamMessage(PushPull{true, {}, ""}));
}

}  // namespace
}  // namespace dkron::gossip
