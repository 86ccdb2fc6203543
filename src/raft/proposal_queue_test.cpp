#include "raft/proposal_queue.h"

#include <gtest/gtest.h>

#include "raft/entry.h"
#include "raft/log_sizes.h"

namespace dkron::raft {
namespace {

std::shared_ptr<Proposal> proposal_of(std::size_t commands, std::size_t size,
                                      bool may_linger = false) {
  auto proposal = std::make_shared<Proposal>();
  proposal->commands.resize(commands);
  for (Command& command : proposal->commands) command.payload.resize(size);
  for (const Command& command : proposal->commands) proposal->bytes += encoded_size(command);
  proposal->may_linger = may_linger;
  proposal->queued_at = seconds(100);
  return proposal;
}

TEST(ProposalQueue, groups_what_fits_and_never_cuts_a_proposal_that_fits_alone) {
  ProposalQueue queue;
  queue.push(proposal_of(10, 50 * 1000));
  queue.push(proposal_of(10, 40 * 1000));
  queue.push(proposal_of(10, 20 * 1000));
  const Group first = queue.take_group();
  EXPECT_EQ(first.slices.size(), 2u);
  EXPECT_EQ(queue.left(), 2u);
  const Group second = queue.take_group();
  EXPECT_EQ(second.slices.size(), 1u);
  EXPECT_EQ(second.slices[0].count, 10u);
  EXPECT_TRUE(queue.is_empty());
}

TEST(ProposalQueue, only_those_that_may_linger_do_and_not_beside_others) {
  ProposalQueue queue;
  EXPECT_FALSE(queue.lingers_until());
  queue.push(proposal_of(1, 10, true));
  EXPECT_EQ(queue.lingers_until(), seconds(100) + Node::kLinger);
  queue.push(proposal_of(1, 10, false));
  EXPECT_FALSE(queue.lingers_until());
  queue.take_group();
  queue.push(proposal_of(60, 20 * 1000, true));
  EXPECT_FALSE(queue.lingers_until()) << "an entry is full";
}

TEST(ProposalQueue, a_refused_first_part_is_unavailable_a_later_one_unknown) {
  for (const bool is_second : {false, true}) {
    ProposalQueue queue;
    auto large = proposal_of(200, 10 * 1000);
    queue.push(large);
    std::vector<Answer> answers;
    std::size_t freed = 0;
    if (is_second) {
      Group first = queue.take_group();
      large->was_accepted = true;
      queue.finish(first.slices, std::vector<Outcome>(first.slices[0].count), answers, freed);
      EXPECT_TRUE(answers.empty());
    }
    Group group = queue.take_group();
    const std::size_t taken = large->next_command;
    queue.finish(group.slices, fail(ErrorCode::Unavailable, "no"), answers, freed);
    ASSERT_EQ(answers.size(), 1u);
    EXPECT_EQ(answers[0].result.error().code,
              is_second ? ErrorCode::OutcomeUnknown : ErrorCode::Unavailable);
    EXPECT_EQ(freed, (200 - taken) * (10 * 1000 + kCommandHeaderBytes));
    EXPECT_TRUE(queue.is_empty());
  }
}

TEST(ProposalQueue, emptying_it_answers_a_half_sent_proposal_once_its_part_is_done) {
  ProposalQueue queue;
  auto large = proposal_of(200, 10 * 1000);
  queue.push(large);
  queue.push(proposal_of(1, 1));
  Group first = queue.take_group();
  large->was_accepted = true;
  std::vector<Answer> answers;
  std::size_t freed = 0;
  queue.fail_all({ErrorCode::Unavailable, "closing"}, answers, freed);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].result.error().code, ErrorCode::Unavailable);
  queue.finish(first.slices, std::vector<Outcome>(first.slices[0].count), answers, freed);
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[1].result.error().code, ErrorCode::OutcomeUnknown);
}

TEST(LogSizes, bounds_what_stays_by_bytes_and_by_entries) {
  LogSizes sizes;
  for (std::uint64_t i = 1; i <= 20; ++i) sizes.record(i, 1024 * 1024);
  EXPECT_EQ(sizes.trailing(), 16u);
  EXPECT_EQ(sizes.bytes_since_snapshot(), 20u * 1024 * 1024);
  sizes.set_snapshot(15);
  EXPECT_EQ(sizes.bytes_since_snapshot(), 5u * 1024 * 1024);
  sizes.record(25, 100);
  EXPECT_EQ(sizes.bytes_since_snapshot(), 5u * 1024 * 1024 + 4 * 64 + 100);
  sizes.record(25, 200);
  EXPECT_EQ(sizes.bytes_since_snapshot(), 5u * 1024 * 1024 + 4 * 64 + 200);
  for (std::uint64_t i = 26; i <= 20026; ++i) sizes.record(i, 64);
  EXPECT_EQ(sizes.trailing(), LogSizes::kTrailingEntries);
  sizes.set_snapshot(30000);
  EXPECT_EQ(sizes.trailing(), 0u);
  EXPECT_EQ(sizes.bytes_since_snapshot(), 0u);
}

}  // namespace
}  // namespace dkron::raft
