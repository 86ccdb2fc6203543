#include "agent/group_keeper.h"

#include "agent/test_support.h"

namespace dkron::agent {
namespace {

using namespace testing_support;
using Kind = GroupStep::Kind;

class NextStepTest : public testing::Test {
 protected:
  NextStepTest() {
    status_.role = raft::Status::Role::Leader;
    add_to_group("s1");
    peers_.apply(server("s1", "7"));
  }
  void add_to_group(const std::string& name, bool votes = true) {
    status_.configuration.push_back({raft::server_id(name), name, name + ":6868", votes});
  }
  std::optional<GroupStep> next(std::set<std::string> skip = {}) {
    const GroupView view{status_, peers_, "s1", "7", clock_.steady(), Duration(0), minutes(10)};
    return next_step(view, [&skip](const std::string& name) { return skip.contains(name); });
  }
  ManualClock clock_;
  PeerTable peers_{clock_, "global"};
  raft::Status status_;
};

TEST_F(NextStepTest, does_nothing_when_group_and_members_agree) {
  add_to_group("s2");
  peers_.apply(server("s2", "7"));
  peers_.apply(member("agent1"));
  EXPECT_FALSE(next());
}

TEST_F(NextStepTest, adopts_then_adds_then_promotes_a_new_server) {
  peers_.apply(server("s2"));
  auto step = next();
  ASSERT_TRUE(step);
  EXPECT_EQ(step->kind, Kind::Adopt);
  EXPECT_EQ(step->address, "s2:6868");
  peers_.apply(server("s2", "7"));
  step = next();
  ASSERT_TRUE(step);
  EXPECT_EQ(step->kind, Kind::Add);
  add_to_group("s2", false);
  step = next();
  ASSERT_TRUE(step);
  EXPECT_EQ(step->kind, Kind::Promote);
  EXPECT_EQ(step->server, "s2");
}

TEST_F(NextStepTest, takes_the_vote_of_a_server_that_lost_its_data_before_it_is_added_anew) {
  add_to_group("s2");
  add_to_group("s3");
  peers_.apply(server("s3", "7"));
  peers_.apply(server("s2"));
  const auto step = next();
  ASSERT_TRUE(step);
  EXPECT_EQ(step->kind, Kind::Remove);
  EXPECT_EQ(step->id, raft::server_id("s2"));
}

TEST_F(NextStepTest, removes_who_left_for_good_and_keeps_who_only_stopped) {
  add_to_group("s2");
  add_to_group("s3");
  peers_.apply(server("s3", "7"));
  gossip::Member stopped = server("s2", "7");
  stopped.status = gossip::MemberStatus::Left;
  peers_.apply(stopped);
  EXPECT_FALSE(next());
  gossip::Tags tags = stopped.tags();
  tags[std::string(kLeavingTag)] = "true";
  stopped.meta = gossip::encode_tags(tags);
  peers_.apply(stopped);
  const auto step = next();
  ASSERT_TRUE(step);
  EXPECT_EQ(step->kind, Kind::Remove);
}

TEST_F(NextStepTest, removes_a_dead_server_only_behind_the_limit_and_with_a_living_majority) {
  for (const char* name : {"s2", "s3", "s4"}) add_to_group(name);
  for (const char* name : {"s2", "s3"}) peers_.apply(server(name, "7"));
  peers_.apply(failed(server("s4", "7")));
  clock_.steady_now = minutes(9);
  EXPECT_FALSE(next());
  clock_.steady_now = minutes(11);
  const auto step = next();
  ASSERT_TRUE(step);
  EXPECT_EQ(step->server, "s4");
  // s1 alone would be no majority of s1, s2, s3.
  peers_.apply(failed(server("s2", "7")));
  peers_.apply(failed(server("s3", "7")));
  clock_.steady_now = minutes(40);
  EXPECT_FALSE(next());
}

TEST_F(NextStepTest, refuses_servers_of_other_products_and_clusters) {
  peers_.apply(without_tag(server("original"), kLedgerTag));
  peers_.apply(server("foreign", "8"));
  EXPECT_FALSE(next());
}

TEST_F(NextStepTest, goes_on_with_others_when_one_is_to_be_skipped) {
  peers_.apply(server("s2"));
  peers_.apply(server("s3"));
  const auto step = next({"s2"});
  ASSERT_TRUE(step);
  EXPECT_EQ(step->server, "s3");
}

}  // namespace
}  // namespace dkron::agent
