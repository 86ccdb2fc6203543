#include "raft/proposal_queue.h"

#include <iterator>

#include "base/assert.h"
#include "raft/entry.h"

namespace dkron::raft {
namespace {

constexpr std::size_t kCommandsLimitBytes = Node::kEntryLimitBytes - kEntryHeaderBytes;

}  // namespace

void ProposalQueue::push(std::shared_ptr<Proposal> proposal) {
  DK_ASSERT(!proposal->commands.empty());
  waiting_bytes_ += proposal->bytes;
  if (!proposal->may_linger) ++urgent_;
  ++pushed_;
  proposals_.push_back(std::move(proposal));
}

std::optional<Duration> ProposalQueue::lingers_until() const {
  if (proposals_.empty() || urgent_ > 0 || waiting_bytes_ >= kCommandsLimitBytes) {
    return std::nullopt;
  }
  return proposals_.front()->queued_at + Node::kLinger;
}

Group ProposalQueue::take_group() {
  DK_ASSERT(!proposals_.empty());
  Group group;
  while (!proposals_.empty()) {
    Proposal& proposal = *proposals_.front();
    const bool fits_whole = proposal.bytes <= kCommandsLimitBytes;
    if (!group.slices.empty() &&
        (!fits_whole || group.commands_bytes + proposal.bytes > kCommandsLimitBytes)) {
      break;
    }
    Slice slice{proposals_.front(), proposal.next_command, 0};
    while (proposal.next_command < proposal.commands.size()) {
      const std::size_t size = encoded_size(proposal.commands[proposal.next_command]);
      if (group.commands_bytes + size > kCommandsLimitBytes) break;
      group.commands_bytes += size;
      waiting_bytes_ -= size;
      ++proposal.next_command;
      ++slice.count;
    }
    DK_ASSERT(slice.count > 0);
    ++proposal.entries_in_flight;
    group.slices.push_back(std::move(slice));
    if (proposal.next_command < proposal.commands.size()) break;
    if (!proposal.may_linger) --urgent_;
    ++left_;
    proposals_.pop_front();
  }
  return group;
}

void ProposalQueue::finish(std::vector<Slice>& slices, Result<std::vector<Outcome>> outcomes,
                           std::vector<Answer>& answers, std::size_t& freed_bytes) {
  std::size_t position = 0;
  for (Slice& slice : slices) {
    Proposal& proposal = *slice.proposal;
    --proposal.entries_in_flight;
    if (outcomes) {
      const auto first = outcomes->begin() + static_cast<std::ptrdiff_t>(position);
      std::move(first, first + static_cast<std::ptrdiff_t>(slice.count),
                std::back_inserter(proposal.outcomes));
    } else if (!proposal.error) {
      proposal.error = outcomes.error();
      drop_rest(slice.proposal, freed_bytes);
    }
    position += slice.count;
    answer_if_finished(proposal, answers);
  }
}

void ProposalQueue::fail_all(const Error& error, std::vector<Answer>& answers,
                             std::size_t& freed_bytes) {
  while (!proposals_.empty()) {
    const std::shared_ptr<Proposal> proposal = proposals_.front();
    if (!proposal->error) proposal->error = error;
    drop_rest(proposal, freed_bytes);
    answer_if_finished(*proposal, answers);
  }
}

void ProposalQueue::drop_rest(const std::shared_ptr<Proposal>& proposal, std::size_t& freed_bytes) {
  if (proposal->next_command == proposal->commands.size()) return;
  // Only the front can have parts in flight and parts that wait.
  DK_ASSERT(!proposals_.empty() && proposals_.front() == proposal);
  for (; proposal->next_command < proposal->commands.size(); ++proposal->next_command) {
    const std::size_t size = encoded_size(proposal->commands[proposal->next_command]);
    waiting_bytes_ -= size;
    freed_bytes += size;
  }
  if (!proposal->may_linger) --urgent_;
  ++left_;
  proposals_.pop_front();
}

void ProposalQueue::answer_if_finished(Proposal& proposal, std::vector<Answer>& answers) {
  if (proposal.entries_in_flight > 0 || proposal.next_command < proposal.commands.size()) return;
  if (!proposal.error) {
    answers.push_back({std::move(proposal.callback), std::move(proposal.outcomes)});
    return;
  }
  Error error = std::move(*proposal.error);
  if (proposal.was_accepted && error.code != ErrorCode::OutcomeUnknown) {
    // A part of it may be in the log already.
    error = {ErrorCode::OutcomeUnknown, "only a part was proposed: " + error.message};
  }
  answers.push_back({std::move(proposal.callback), fail(std::move(error))});
}

}  // namespace dkron::raft
