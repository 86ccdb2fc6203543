#include "gossip/timers.h"

#include <gtest/gtest.h>

#include <vector>

#include "gossip/test_cluster.h"

namespace dkron::gossip {
namespace {

TEST(Timers, advancing_runs_each_at_its_own_time) {
  Timers timers(Duration{0});
  std::vector<Duration> ran;
  const auto first = timers.after(seconds(1), [&] { ran.push_back(timers.now()); });
  const auto second = timers.after(seconds(2), [&] { ran.push_back(timers.now()); });
  timers.advance(seconds(10));
  EXPECT_EQ(ran, (std::vector<Duration>{seconds(1), seconds(2)}));
  EXPECT_EQ(timers.now(), seconds(10));
}

TEST(Timers, catching_up_runs_what_is_due_now_and_what_it_starts_later) {
  Timers timers(Duration{0});
  std::vector<Duration> ran;
  Timers::Handle again;
  const auto first = timers.after(seconds(1), [&] {
    ran.push_back(timers.now());
    again = timers.after(seconds(1), [&] { ran.push_back(timers.now()); });
  });
  timers.catch_up(seconds(10));
  EXPECT_EQ(ran, std::vector<Duration>{seconds(10)});
  timers.catch_up(seconds(11));
  EXPECT_EQ(ran, (std::vector<Duration>{seconds(10), seconds(11)}));
}

TEST(Timers, a_member_that_got_no_time_for_a_minute_accuses_nobody) {
  TestCluster cluster;
  cluster.form({"a", "b", "c", "d", "e"});
  TestNode& slow = cluster["a"];
  cluster.network().freeze(slow.endpoint());
  cluster.run(seconds(60));
  cluster.network().thaw(slow.endpoint());
  cluster.run(seconds(60));
  EXPECT_EQ(slow.count("failed b") + slow.count("failed c") + slow.count("failed d"), 0U);
  EXPECT_LE(slow->memberlist().counters().suspicions, 1U);
  EXPECT_TRUE(cluster.all_see("a", MemberStatus::Alive));
}

}  // namespace
}  // namespace dkron::gossip
