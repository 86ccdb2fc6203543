// Names that two nodes claim, and members of another cluster.
#include <gtest/gtest.h>

#include "gossip/test_cluster.h"

namespace dkron::gossip {
namespace {

constexpr MemberStatus kAlive = MemberStatus::Alive;
constexpr MemberStatus kGone = MemberStatus::None;  // Not a member.

TEST(SerfConflict, a_member_of_another_cluster_is_refused_and_both_sides_know_why) {
  TestCluster cluster;
  cluster.set_adjust([](Serf::Options& options) {
    options.tags["cluster"] = options.name == "stranger" ? "two" : "one";
    const std::string ours = options.tags["cluster"];
    options.accept = [ours](const std::string& name, const Tags& tags) -> Result<> {
      const auto theirs = tags.find("cluster");
      if (theirs != tags.end() && theirs->second == ours) return {};
      return fail(ErrorCode::Conflict, "node \"" + name + "\" is of another cluster");
    };
  });
  cluster.form({"a", "b"});
  TestNode& stranger = cluster.add("stranger");
  const auto joined = cluster.join(stranger, cluster["a"].endpoint());
  ASSERT_FALSE(joined);
  EXPECT_EQ(joined.error().message,
            "10.0.0.1:8946: the remote says: node \"stranger\" is of another cluster");
  cluster.run(seconds(30));
  EXPECT_TRUE(cluster["a"].sees("stranger", kGone));
  EXPECT_TRUE(cluster["b"].sees("stranger", kGone));
  EXPECT_TRUE(stranger.sees("a", kGone));
}

TEST(SerfConflict, a_newcomer_with_a_used_name_loses_the_vote) {
  TestCluster cluster;
  cluster.form({"a", "b", "c"});
  TestNode& newcomer = cluster.add("b");
  ASSERT_TRUE(cluster.join(newcomer, cluster["a"].endpoint()));
  ASSERT_TRUE(cluster.run_until([&] { return newcomer.is_name_lost; }, seconds(10)));
  EXPECT_GT(newcomer->counters().name_conflicts, 0u);
  newcomer->stop();
  cluster.run(seconds(30));
  EXPECT_FALSE(cluster["b"].is_name_lost);
  EXPECT_EQ(cluster["a"]->find("b")->endpoint, cluster["b"].endpoint());
  EXPECT_TRUE(cluster["a"].sees("b", kAlive));
}

TEST(SerfConflict, who_holds_a_name_wins_the_vote) {
  TestCluster cluster;
  cluster.form({"a", "b", "c"});
  const Alive other{1, "b", test_endpoint(50).ip, 8946, encode_tags({}), {}};
  cluster.network().inject(cluster["b"].endpoint(), test_packet(encode(other)));
  cluster.run(seconds(10));
  EXPECT_EQ(cluster["b"]->counters().name_conflicts, 1u);
  EXPECT_EQ(cluster["b"]->counters().queries, 1u);  // Others were asked.
  EXPECT_FALSE(cluster["b"].is_name_lost);
}

TEST(SerfConflict, without_an_answer_the_newcomer_goes_and_the_holder_stays) {
  TestCluster cluster;
  TestNode& holder = cluster.add("a");
  cluster.run(seconds(5));
  TestNode& newcomer = cluster.add("a");
  newcomer->join({holder.endpoint()}, true, [](const Result<std::size_t>&) {});
  ASSERT_TRUE(cluster.run_until([&] { return newcomer.is_name_lost; }, seconds(10)));
  newcomer->stop();
  cluster.run(seconds(30));
  EXPECT_FALSE(holder.is_name_lost);
}

TEST(SerfConflict, a_vote_can_be_switched_off) {
  TestCluster cluster;
  TestNode& a = cluster.add("a", [](Serf::Options& o) { o.resolves_name_conflicts = false; });
  const Alive other{1, "a", test_endpoint(50).ip, 8946, encode_tags({}), {}};
  cluster.network().inject(a.endpoint(), test_packet(encode(other)));
  cluster.run(seconds(10));
  EXPECT_FALSE(a.is_name_lost);
}

}  // namespace
}  // namespace dkron::gossip
