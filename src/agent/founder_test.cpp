#include "agent/founder.h"

#include "agent/test_support.h"

namespace dkron::agent {
namespace {

using namespace testing_support;

// One server with its own view of the others.
class Candidate {
 public:
  Candidate(ManualClock& clock, ManualLoop& loop, const std::string& name, int expect)
      : peers(clock, "global"),
        founder({loop, clock, peers, client, name, expect, [this] { return is_outside; },
                 [this](const rpc::OnDone& done) {
                   ++founded;
                   is_outside = false;
                   done({});
                 }}) {}
  PeerTable peers;
  FakeClient client;
  bool is_outside = true;
  int founded = 0;
  Founder founder;
};

class FounderTest : public testing::Test {
 protected:
  void see(Candidate& candidate, const std::vector<std::string>& names) {
    for (const std::string& name : names) candidate.peers.apply(server(name, {}, 3));
    candidate.founder.look();
  }
  ManualClock clock_;
  ManualLoop loop_{clock_};
  Candidate a_{clock_, loop_, "a", 3};
  Candidate b_{clock_, loop_, "b", 3};
};

TEST_F(FounderTest, the_first_by_name_founds_when_all_have_promised) {
  a_.founder.start();
  see(a_, {"a", "b"});
  EXPECT_TRUE(a_.client.promises.empty());
  see(a_, {"c"});
  ASSERT_EQ(a_.client.promises.size(), 2U);
  a_.client.promises[0].second({});
  EXPECT_EQ(a_.founded, 0);
  a_.client.promises[1].second({});
  EXPECT_EQ(a_.founded, 1);
}

TEST_F(FounderTest, the_others_wait) {
  b_.founder.start();
  see(b_, {"a", "b", "c"});
  loop_.pass(seconds(60));
  EXPECT_TRUE(b_.client.promises.empty());
  EXPECT_EQ(b_.founded, 0);
}

TEST_F(FounderTest, a_refusal_stops_this_round_and_the_next_one_asks_again) {
  a_.founder.start();
  see(a_, {"a", "b", "c"});
  a_.client.promises[0].second(fail(ErrorCode::Conflict, "no"));
  a_.client.promises[1].second({});
  EXPECT_EQ(a_.founded, 0);
  a_.client.promises.clear();
  loop_.pass(seconds(1));
  ASSERT_EQ(a_.client.promises.size(), 2U);
}

TEST_F(FounderTest, a_promise_that_comes_late_counts_for_nothing) {
  a_.founder.start();
  see(a_, {"a", "b", "c"});
  a_.client.promises[0].second({});
  clock_.steady_now += Founder::kFoundWithin + seconds(1);
  a_.client.promises[1].second({});
  EXPECT_EQ(a_.founded, 0);
}

TEST_F(FounderTest, two_candidates_whose_views_differ_cannot_both_be_promised) {
  Candidate c(clock_, loop_, "c", 3);
  c.founder.start();
  see(c, {"a", "b", "c"});
  // b does not see a, but sees d.
  EXPECT_TRUE(c.founder.promise({"a", {"a", "b", "c"}}));
  EXPECT_FALSE(c.founder.promise({"b", {"b", "c", "d"}}));
  EXPECT_TRUE(c.founder.promise({"a", {"a", "b", "c"}}));  // Asked again.
  clock_.steady_now += Founder::kPromiseHolds + seconds(1);
  EXPECT_FALSE(c.founder.promise({"b", {"b", "c", "d"}}));  // c sees a, which comes first.
}

TEST_F(FounderTest, nobody_founds_beside_a_cluster_that_exists) {
  a_.peers.apply(server("z", "7"));
  a_.founder.start();
  see(a_, {"a", "b", "c"});
  EXPECT_TRUE(a_.client.promises.empty());
  const auto promised = a_.founder.promise({"a", {"a", "b", "c"}});
  ASSERT_FALSE(promised);
  EXPECT_NE(promised.error().message.find("a cluster exists already"), std::string::npos);
}

TEST_F(FounderTest, a_member_that_expects_another_number_stops_everybody) {
  a_.peers.apply(server("d", {}, 5));
  a_.founder.start();
  see(a_, {"a", "b", "c"});
  EXPECT_TRUE(a_.client.promises.empty());
}

TEST_F(FounderTest, a_server_that_is_part_of_a_cluster_promises_nothing) {
  b_.founder.start();
  see(b_, {"a", "b", "c"});
  b_.is_outside = false;
  EXPECT_FALSE(b_.founder.promise({"a", {"a", "b", "c"}}));
}

}  // namespace
}  // namespace dkron::agent
