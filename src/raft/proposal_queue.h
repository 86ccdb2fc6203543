// ProposalQueue: proposals that wait on the raft thread, and how they form entries (group commit).
//
// Proposals leave in the order in which they came, as many as fit into one entry of
// Node::kEntryLimitBytes. A proposal that fits into one entry is never cut; a larger one fills
// several, and its callback waits for all of them. Knows nothing of libraft; owned by Engine, one
// thread.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "raft/node.h"

namespace dkron::raft {

struct Proposal {
  std::vector<Command> commands;
  ProposeCallback callback;
  bool may_linger = false;
  Duration queued_at{0};  // Steady time.
  std::size_t bytes = 0;  // Encoded commands, all of them.

  std::size_t next_command = 0;  // First one that is in no entry yet.
  std::size_t entries_in_flight = 0;
  bool was_accepted = false;      // At least one entry was handed to libraft.
  std::vector<Outcome> outcomes;  // Of the entries that are done.
  std::optional<Error> error;     // The first failure; nothing more of it is proposed.
};

// Commands [first, first + count) of a proposal, inside one entry.
struct Slice {
  std::shared_ptr<Proposal> proposal;
  std::size_t first = 0;
  std::size_t count = 0;
};

struct Group {
  std::vector<Slice> slices;
  std::size_t commands_bytes = 0;
};

// A callback with what it is to be called with.
struct Answer {
  ProposeCallback callback;
  Result<std::vector<Outcome>> result;
};

class ProposalQueue {
 public:
  void push(std::shared_ptr<Proposal> proposal);
  bool is_empty() const { return proposals_.empty(); }
  // Proposals pushed, and proposals whose last command has left the queue; both only grow.
  std::uint64_t pushed() const { return pushed_; }
  std::uint64_t left() const { return left_; }

  // When the waiting proposals may linger and do not fill an entry: the steady time at which they
  // must go. Otherwise nothing, also when the queue is empty.
  std::optional<Duration> lingers_until() const;

  // The next entry. The queue must not be empty.
  Group take_group();

  // The entry of `slices` is done: `outcomes` in the order of its commands, or an error. Appends
  // the proposals that are finished by it to `answers`. `freed_bytes` grows by what leaves the
  // queue unproposed because an earlier part failed.
  void finish(std::vector<Slice>& slices, Result<std::vector<Outcome>> outcomes,
              std::vector<Answer>& answers, std::size_t& freed_bytes);

  // Empties the queue. Proposals without a part in flight are answered with `error`.
  void fail_all(const Error& error, std::vector<Answer>& answers, std::size_t& freed_bytes);

 private:
  void drop_rest(const std::shared_ptr<Proposal>& proposal, std::size_t& freed_bytes);
  static void answer_if_finished(Proposal& proposal, std::vector<Answer>& answers);

  std::deque<std::shared_ptr<Proposal>> proposals_;
  std::uint64_t pushed_ = 0;
  std::uint64_t left_ = 0;
  std::size_t waiting_bytes_ = 0;
  std::size_t urgent_ = 0;  // Waiting proposals that may not linger.
};

}  // namespace dkron::raft
