#include "raft/node.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

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

// In a process of its own: the state machine is destroyed behind the node, and a thread that still
// works on it must not be there any more.
TEST(NodeDeathTest, a_thread_that_hangs_when_the_node_closes_ends_the_process) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  constexpr const char* kDirectory = "DKRON_TEST_DIRECTORY";
  std::optional<TemporaryDirectory> directory;
  if (std::getenv(kDirectory) == nullptr) {  // Not in the process that dies: it removes nothing.
    directory.emplace();
    ::setenv(kDirectory, directory->path().c_str(), 1);
  }
  EXPECT_EXIT(
      {
        TestNode server(std::getenv(kDirectory));
        if (!server.open()) ::_exit(70);
        server.machine->hold();
        server.node->propose({Command{1, 1, 0, "held"}}, [](const auto&) {});
        server.machine->wait_until_held();
        std::atexit([] { ::_exit(71); });
        server.node->close();
        ::_exit(72);
      },
      ::testing::ExitedWithCode(1), "the thread hangs and cannot be ended");
  ::unsetenv(kDirectory);
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

struct Answers {
  std::vector<Result<std::vector<Outcome>>> results;
  ProposeCallback callback() {
    return [this](Result<std::vector<Outcome>> result) { results.push_back(std::move(result)); };
  }
};

std::vector<Command> commands_of(std::size_t count, std::size_t size, std::size_t first = 0) {
  std::vector<Command> commands(count);
  for (std::size_t i = 0; i < count; ++i) {
    commands[i].payload = std::to_string(first + i);
    if (commands[i].payload.size() < size) commands[i].payload.resize(size, '.');
  }
  return commands;
}

TEST(Node, proposals_that_wait_together_share_entries_in_order) {
  TemporaryDirectory directory;
  TestNode server(directory.path());
  ASSERT_TRUE(server.open());
  server.machine->hold();
  Answers answers;
  constexpr std::size_t kProposals = 2000;
  for (std::size_t i = 0; i < kProposals; ++i) {
    server.node->propose(commands_of(1, 0, i), answers.callback());
  }
  server.machine->release();
  ASSERT_TRUE(server.loop.run_until([&] { return answers.results.size() == kProposals; }));
  for (std::size_t i = 0; i < kProposals; ++i) {
    ASSERT_TRUE(answers.results[i]);
    EXPECT_EQ(answers.results[i]->front().payload, "re:" + std::to_string(i));
  }
  EXPECT_EQ(server.machine->values().size(), kProposals);
  EXPECT_LT(server.machine->applied_entries(), kProposals / 10);
}

TEST(Node, a_proposal_above_the_limit_of_an_entry_takes_several_and_one_answer) {
  TemporaryDirectory directory;
  TestNode server(directory.path());
  ASSERT_TRUE(server.open());
  Answers answers;
  server.node->propose(commands_of(3000, 1024), answers.callback());
  ASSERT_TRUE(server.loop.run_until([&] { return answers.results.size() == 1; }));
  ASSERT_TRUE(answers.results[0]);
  ASSERT_EQ(answers.results[0]->size(), 3000u);
  for (std::size_t i = 0; i < 3000; ++i) {
    const std::string& payload = (*answers.results[0])[i].payload;
    ASSERT_EQ(payload.substr(0, payload.find('.')), "re:" + std::to_string(i));
  }
  EXPECT_EQ(server.machine->applied_entries(), 3u);
}

TEST(Node, a_command_above_the_limit_and_a_full_queue_are_refused) {
  TemporaryDirectory directory;
  TestNode server(directory.path());
  server.options.snapshot_threshold_bytes = std::uint64_t{1} << 30;
  ASSERT_TRUE(server.open());
  EXPECT_EQ(server.propose(std::string(Node::kEntryLimitBytes, 'x')).error().code,
            ErrorCode::TooLarge);
  server.machine->hold();
  Answers answers;
  constexpr std::size_t kProposals = 80;
  for (std::size_t i = 0; i < kProposals; ++i) {
    server.node->propose(commands_of(1, 1000 * 1000, i), answers.callback());
  }
  server.machine->release();
  ASSERT_TRUE(server.loop.run_until([&] { return answers.results.size() == kProposals; }));
  std::size_t refused = 0;
  for (const auto& result : answers.results) {
    if (result) continue;
    ++refused;
    EXPECT_EQ(result.error().code, ErrorCode::Overloaded);
  }
  EXPECT_GE(refused, 5u);
  EXPECT_LE(refused, kProposals - 60);
  EXPECT_EQ(server.machine->values().size(), kProposals - refused);
  EXPECT_TRUE(server.propose("the queue is free again"));
}

TEST(Node, what_nobody_waits_for_is_proposed_all_the_same) {
  TemporaryDirectory directory;
  TestNode server(directory.path());
  ASSERT_TRUE(server.open());
  Answers answers;
  server.node->propose(commands_of(1, 0), answers.callback(), true);
  server.node->propose(commands_of(1, 0, 1), answers.callback(), true);
  ASSERT_TRUE(server.loop.run_until([&] { return answers.results.size() == 2; }));
  EXPECT_EQ(server.machine->applied_entries(), 1u);
}

TEST(Node, a_barrier_comes_after_everything_proposed_before) {
  TemporaryDirectory directory;
  TestNode server(directory.path());
  ASSERT_TRUE(server.open());
  Answers answers;
  std::size_t barriers = 0;
  for (std::size_t i = 0; i < 50; ++i) {
    server.node->propose(commands_of(1, 0, i), answers.callback(), i % 2 == 0);
    server.node->barrier([&, expected = i + 1](Result<void> result) {
      ++barriers;
      EXPECT_TRUE(result);
      EXPECT_GE(server.machine->values().size(), expected);
    });
  }
  ASSERT_TRUE(
      server.loop.run_until([&] { return barriers == 50 && answers.results.size() == 50; }));
  EXPECT_LT(server.node->status().last_log_index, 100u) << "barriers share log entries";
}

TEST(Node, a_state_machine_error_stops_the_node_for_good) {
  TemporaryDirectory directory;
  TestNode server(directory.path());
  ASSERT_TRUE(server.open());
  ASSERT_TRUE(server.propose("good"));
  EXPECT_EQ(server.propose("bad", testing::FileMachine::kBadKind).error().code,
            ErrorCode::OutcomeUnknown);
  ASSERT_TRUE(server.loop.run_until([&] { return server.fatal.has_value(); }));
  EXPECT_EQ(server.fatal->message, "unknown command kind 99");
  EXPECT_EQ(server.propose("more").error().code, ErrorCode::Unavailable);
  EXPECT_EQ(server.node->status().role, Status::Role::Unavailable);
  server.node->close();
  auto opened = server.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().message, "unknown command kind 99");
}

TEST(Node, close_waits_for_what_was_proposed) {
  TemporaryDirectory directory;
  TestNode server(directory.path());
  ASSERT_TRUE(server.open());
  Answers answers;
  for (std::size_t i = 0; i < 100; ++i) {
    server.node->propose(commands_of(1, 1000, i), answers.callback(), i % 3 == 0);
  }
  server.node->close();
  ASSERT_TRUE(server.loop.run_until([&] { return answers.results.size() == 100; }));
  for (const auto& result : answers.results) EXPECT_TRUE(result);
  EXPECT_EQ(server.machine->values().size(), 100u);
}

TEST(Node, a_kill_answers_everything_and_says_that_it_does_not_know) {
  TemporaryDirectory directory;
  TestNode server(directory.path());
  ASSERT_TRUE(server.open());
  Answers answers;
  for (std::size_t i = 0; i < 100; ++i) {
    server.node->propose(commands_of(1, 1000, i), answers.callback());
  }
  server.node.reset();
  ASSERT_TRUE(server.loop.run_until([&] { return answers.results.size() == 100; }));
  std::size_t known = 0;
  for (const auto& result : answers.results) {
    if (result) ++known;
  }
  EXPECT_GE(server.machine->values().size(), known);
}

TEST(Node, snapshots_come_by_themselves_by_entries_and_by_bytes) {
  TemporaryDirectory directory;
  TestNode server(directory.path());
  server.options.snapshot_threshold_entries = 10;
  ASSERT_TRUE(server.open());
  for (int i = 0; i < 12; ++i) ASSERT_TRUE(server.propose(std::to_string(i)));
  const auto has_snapshot = [&] { return server.machine->stored_snapshots() >= 1; };
  ASSERT_TRUE(server.loop.run_until(has_snapshot));
  server.node->close();
  server.options.snapshot_threshold_entries = 1000;
  server.options.snapshot_threshold_bytes = 100 * 1000;
  ASSERT_TRUE(server.open());
  ASSERT_TRUE(server.propose(std::string(120 * 1000, 'x')));
  ASSERT_TRUE(server.loop.run_until(has_snapshot));
  EXPECT_LT(server.node->status().log_bytes, 1000u);
}

TEST(Node, a_snapshot_does_not_begin_the_next_one) {
  TemporaryDirectory directory;
  TestNode server(directory.path());
  server.options.snapshot_threshold_entries = 50;
  ASSERT_TRUE(server.open());
  Answers answers;
  std::size_t proposed = 0;
  const auto keep_busy = [&] {
    for (; proposed < 500 && proposed < answers.results.size() + 2; ++proposed) {
      server.node->propose(commands_of(1, 0, proposed), answers.callback());
    }
    return answers.results.size() == 500;
  };
  ASSERT_TRUE(server.loop.run_until(keep_busy));
  EXPECT_GE(server.machine->stored_snapshots(), 1u);
  EXPECT_LE(server.machine->stored_snapshots(), 10u);
}

TEST(Node, bad_options_are_refused) {
  TemporaryDirectory directory;
  TestNode server(directory.path());
  server.options.multiplier = 11;
  EXPECT_EQ(server.open().error().code, ErrorCode::InvalidArgument);
  server.options.multiplier = 1;
  server.options.address = "nonsense";
  EXPECT_EQ(server.open().error().code, ErrorCode::InvalidArgument);
  server.options.address = "[::1]:6868";
  EXPECT_TRUE(server.open());
}

}  // namespace
}  // namespace dkron::raft
