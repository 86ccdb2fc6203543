#include "gossip/suspicion.h"

#include <gtest/gtest.h>

namespace dkron::gossip {
namespace {

TEST(Suspicion, lasts_the_minimum_when_nobody_else_could_confirm) {
  Suspicion suspicion(Profile{}, 3, "a", seconds(10));
  EXPECT_EQ(suspicion.remaining(seconds(10)), seconds(4));
  EXPECT_FALSE(suspicion.confirm("b"));
  EXPECT_EQ(suspicion.remaining(seconds(13)), seconds(1));
}

// Two confirmations are expected with the LAN profile; the formula is that of the specification.
TEST(Suspicion, shrinks_from_the_maximum_to_the_minimum_as_others_confirm) {
  Suspicion suspicion(Profile{}, 10, "a", seconds(0));
  EXPECT_EQ(suspicion.remaining(seconds(0)), seconds(24));
  EXPECT_TRUE(suspicion.confirm("b"));
  EXPECT_EQ(suspicion.remaining(seconds(0)), milliseconds(11'381));
  EXPECT_TRUE(suspicion.confirm("c"));
  EXPECT_EQ(suspicion.remaining(seconds(0)), seconds(4));
  EXPECT_FALSE(suspicion.confirm("d"));
}

TEST(Suspicion, counts_each_accuser_once) {
  Suspicion suspicion(Profile{}, 10, "a", seconds(0));
  EXPECT_FALSE(suspicion.confirm("a"));
  EXPECT_TRUE(suspicion.confirm("b"));
  EXPECT_FALSE(suspicion.confirm("b"));
}

TEST(Suspicion, is_over_when_more_time_passed_than_a_confirmation_leaves) {
  Suspicion suspicion(Profile{}, 10, "a", seconds(0));
  suspicion.confirm("b");
  suspicion.confirm("c");
  EXPECT_LE(suspicion.remaining(seconds(20)), seconds(0));
}

TEST(Profile, scales_with_the_size_of_the_cluster) {
  const Profile lan;
  EXPECT_EQ(retransmit_limit(4, 3), 4);
  EXPECT_EQ(retransmit_limit(4, 10), 8);
  EXPECT_EQ(retransmit_limit(4, 100), 12);
  EXPECT_EQ(suspicion_min_timeout(lan, 1), seconds(4));
  EXPECT_EQ(suspicion_min_timeout(lan, 10), seconds(4));
  EXPECT_EQ(suspicion_min_timeout(lan, 100), seconds(8));
  EXPECT_EQ(suspicion_min_timeout(lan, 50), milliseconds(6792));  // log10(50) = 1.698...
  EXPECT_EQ(push_pull_interval(lan, 32), seconds(30));
  EXPECT_EQ(push_pull_interval(lan, 33), seconds(60));
  EXPECT_EQ(push_pull_interval(lan, 65), seconds(90));
}

TEST(Profile, is_found_by_its_name) {
  EXPECT_EQ(find_profile("lan")->probe_interval, seconds(1));
  EXPECT_EQ(find_profile("wan")->probe_interval, seconds(5));
  EXPECT_EQ(find_profile("local")->probe_timeout, milliseconds(200));
  EXPECT_FALSE(find_profile("LAN"));
}

}  // namespace
}  // namespace dkron::gossip
