#include "raft/node.h"

#include <gtest/gtest.h>

#include "raft/test_support.h"

namespace dkron::raft {
namespace {

using testing::TemporaryDirectory;
using testing::TestNode;

TEST(Node, a_group_of_one_leads_and_answers_with_the_outcome) {
  TemporaryDirectory directory;
  TestNode server(directory.path());
  auto opened = server.open();
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_TRUE(server.is_leader());
  auto outcomes = server.propose("one");
  ASSERT_TRUE(outcomes) << outcomes.error().message;
  ASSERT_EQ(outcomes->size(), 1u);
  EXPECT_EQ((*outcomes)[0].payload, "re:one");
  EXPECT_EQ(server.machine->values(), std::vector<std::string>{"one"});
  EXPECT_EQ(server.machine->published(), 1u);
  const Status status = server.node->status();
  EXPECT_EQ(status.leader_name, "node1");
  ASSERT_EQ(status.configuration.size(), 1u);
  EXPECT_EQ(status.configuration[0].node_name, "node1");
  EXPECT_EQ(status.configuration[0].address, "127.0.0.1:1");
  EXPECT_TRUE(status.configuration[0].is_voter);
  server.node->close();
  server.node->close();
  EXPECT_EQ(server.propose("late").error().code, ErrorCode::Unavailable);
}

TEST(Node, a_restart_applies_nothing_twice_and_the_term_grows) {
  TemporaryDirectory directory;
  std::uint64_t term = 0;
  for (int round = 0; round < 4; ++round) {
    TestNode server(directory.path());
    auto opened = server.open();
    ASSERT_TRUE(opened) << opened.error().message;
    EXPECT_EQ(server.machine->applied_entries(), 0u);
    EXPECT_EQ(server.machine->values().size(), static_cast<std::size_t>(round));
    EXPECT_GT(server.node->status().term, term);
    term = server.node->status().term;
    ASSERT_TRUE(server.propose("v" + std::to_string(round)));
    if (round % 2 == 0) server.node->close();
  }
}

TEST(Node, a_state_machine_without_memory_gets_the_whole_log_again) {
  TemporaryDirectory directory;
  TestNode server(directory.path());
  ASSERT_TRUE(server.open());
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(server.propose(std::to_string(i)));
  const auto values = server.machine->values();
  server.node->close();
  std::filesystem::remove(directory.path() / "state");
  ASSERT_TRUE(server.open());
  EXPECT_EQ(server.machine->values(), values);
}

TEST(Node, a_snapshot_carries_the_state_over_a_restart) {
  TemporaryDirectory directory;
  TestNode server(directory.path());
  ASSERT_TRUE(server.open());
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(server.propose(std::to_string(i)));
  auto taken = server.snapshot();
  ASSERT_TRUE(taken) << taken.error().message;
  EXPECT_EQ(server.machine->stored_snapshots(), 1u);
  EXPECT_TRUE(server.snapshot()) << "nothing new, so the present one serves";
  EXPECT_EQ(server.machine->stored_snapshots(), 1u);
  ASSERT_TRUE(server.propose("after"));
  const auto values = server.machine->values();
  server.node->close();

  std::filesystem::remove(directory.path() / "state");
  auto opened = server.open();
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ(server.machine->restored(), 1u);
  EXPECT_EQ(server.machine->applied_entries(), 1u);
  EXPECT_EQ(server.machine->values(), values);
  EXPECT_GT(server.node->status().last_snapshot_index, 20u);
}

}  // namespace
}  // namespace dkron::raft
