// A follower whose entries the leader has no more gets the leader's snapshot, files and all.
#include <gtest/gtest.h>

#include "raft/test_cluster.h"

namespace dkron::raft {
namespace {

using testing::Cluster;
using testing::TestNetwork;

constexpr std::size_t kValueBytes = 900 * 1000;

class SnapshotTransferTest : public ::testing::Test {
 protected:
  SnapshotTransferTest() : cluster_(2, &network_) {}

  // A leader with `values` values, whose log does not begin at the beginning any more.
  void lead_with(std::size_t values) {
    Options& options = cluster_.node(0).options;
    options.snapshot_threshold_bytes = std::uint64_t{1} << 40;
    ASSERT_TRUE(cluster_.start(0));
    ASSERT_TRUE(cluster_.node(0).ask([](Node& n, Node::OnDone done) { n.found(std::move(done)); }));
    for (std::size_t i = 0; i < values; ++i) {
      std::string value = std::to_string(i) + "-";
      value.resize(kValueBytes, static_cast<char>('a' + i % 26));
      ASSERT_TRUE(cluster_.node(0).propose(std::move(value)));
    }
    // At most 16 MiB of entries stay behind a snapshot.
    const auto taken = cluster_.node(0).snapshot();
    ASSERT_TRUE(taken) << taken.error().message;
  }

  void join() {
    ASSERT_TRUE(cluster_.start(1));
    ASSERT_TRUE(cluster_.adopt(1));
    const auto added = cluster_.add(0, 1);
    ASSERT_TRUE(added) << added.error().message;
  }

  TestNetwork network_;
  Cluster cluster_;
};

TEST_F(SnapshotTransferTest, a_follower_killed_in_the_middle_goes_on_where_it_was) {
  constexpr std::size_t kValues = 56;
  constexpr std::uint64_t kStateBytes = kValues * kValueBytes;  // 50 MB
  constexpr std::uint64_t kLimit = 20'000'000;
  lead_with(kValues);
  network_.set_snapshot_limit(kLimit);
  join();
  ASSERT_TRUE(cluster_.run_until([&] { return network_.snapshot_bytes() >= kLimit; }));
  EXPECT_EQ(cluster_.node(1).machine->restored(), 0u);
  ASSERT_TRUE(cluster_.node(0).propose("the leader works on"));
  EXPECT_EQ(cluster_.node(0).node->status().followers.at(0).match_index, 0u)
      << "nothing is acknowledged that is not there";
  cluster_.kill(1);
  network_.set_snapshot_limit(UINT64_MAX);
  ASSERT_TRUE(cluster_.start(1));
  ASSERT_TRUE(cluster_.wait_for_values(1, kValues + 1));
  EXPECT_EQ(cluster_.node(1).machine->restored(), 1u);
  EXPECT_EQ(cluster_.node(1).machine->values(), cluster_.node(0).machine->values());
  // What was on its way when the follower was killed came twice, the rest once.
  EXPECT_LT(network_.snapshot_bytes(), kStateBytes + 5'000'000);
  ASSERT_TRUE(cluster_.promote(0, 1));

  // It can start from what it got, and give it on.
  cluster_.stop(1);
  ASSERT_TRUE(cluster_.start(1));
  EXPECT_EQ(cluster_.node(1).machine->values().size(), kValues + 1);
}

TEST_F(SnapshotTransferTest, a_byte_that_was_falsified_on_the_way_is_found) {
  lead_with(24);
  network_.falsify_snapshot_byte(1'000'000);
  join();
  ASSERT_TRUE(cluster_.wait_for_values(1, 24));
  EXPECT_EQ(cluster_.node(1).machine->values(), cluster_.node(0).machine->values());
  EXPECT_GT(network_.snapshot_bytes(), 24 * kValueBytes + 1'000'000) << "one file came again";
}

TEST_F(SnapshotTransferTest, a_broken_connection_is_made_again) {
  lead_with(24);
  network_.set_snapshot_limit(5'000'000);
  join();
  ASSERT_TRUE(cluster_.run_until([&] { return network_.snapshot_bytes() >= 5'000'000; }));
  cluster_.stop(0);
  network_.set_snapshot_limit(UINT64_MAX);
  ASSERT_TRUE(cluster_.start(0));
  ASSERT_TRUE(cluster_.wait_for_values(1, 24));
  EXPECT_EQ(cluster_.node(1).machine->values(), cluster_.node(0).machine->values());
}

}  // namespace
}  // namespace dkron::raft
