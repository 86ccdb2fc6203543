// GroupChanges: changes of the group and transfers of leadership, one at a time.
//
// libraft refuses a change while another is under way, and lets a new leader change the group
// before it has committed anything in its term, which single-server changes do not bear. So the
// changes wait here in the order in which they came, and the first of a term waits for a barrier.
//
// A promotion is a change only at its end. Before that the server replicates without a vote, and
// must acknowledge an entry that was written after the order to promote it: that proves that it is
// there and has caught up, so that its vote does not stop the group. Meanwhile others pass.
//
// Owned by Engine; raft thread only. Callbacks run through `post`, behind flush().
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "raft/libraft.h"
#include "raft/node.h"

namespace dkron::raft {

class GroupChanges {
 public:
  // A server that acknowledges nothing new for so long is not promoted.
  static constexpr Duration kCatchUpPause = seconds(30);
  // After a transfer: until another server is known to lead, in election timeouts.
  static constexpr int kTransferLimit = 6;

  GroupChanges(struct raft& raft, Post post);
  ~GroupChanges();
  GroupChanges(const GroupChanges&) = delete;
  GroupChanges& operator=(const GroupChanges&) = delete;

  void add_server(std::string node_name, std::string address, Node::OnDone done);
  void promote(std::string node_name, Node::OnDone done);
  void remove_server(std::uint64_t id, Node::OnDone done);
  void transfer_leadership(std::string node_name, Node::OnDone done);

  // Each loop turn.
  void turn();
  // Answers all that waits. What libraft has is answered when it calls back.
  void fail_waiting(const Error& error);
  // The same, and nothing that has begun waits for anything but libraft.
  void close(const Error& error);
  // Calls back with the answers so far. To be called when the Status is published, so that who is
  // answered finds there what was done.
  void flush();

  bool is_catching_up(std::uint64_t id) const;
  // A message of this server has arrived.
  void on_contact(std::uint64_t id);

 private:
  enum class Kind { Add, Promote, Remove, Transfer };
  struct Change;
  struct Promotion;
  struct Barrier;

  void push(std::unique_ptr<Change> change);
  const struct raft_server* find_server(std::uint64_t id) const;
  bool leads() const;
  bool is_settled();
  void start_barrier();
  void on_barrier(int status);

  void advance();
  void step();  // Takes current_ as far as it goes at once.
  int step_add();
  int step_promote();
  int step_remove();
  int step_transfer();
  std::optional<Error> check_remove(std::uint64_t id) const;
  std::optional<Error> choose_successor(Change& change) const;
  void on_step(int status);
  void watch_transfer();
  void finish_current(const Result<void>& result);
  void answer(const Node::OnDone& done, const Result<void>& result);

  void advance_promotions();
  // Nothing: it goes on.
  std::optional<Result<void>> advance_promotion(Promotion& promotion);

  struct raft& raft_;
  const Post post_;
  std::deque<std::unique_ptr<Change>> queue_;
  std::unique_ptr<Change> current_;
  std::vector<std::unique_ptr<Promotion>> promotions_;
  std::unique_ptr<Barrier> barrier_;
  std::vector<Task> answers_;
  std::uint64_t settled_term_ = 0;                        // In which an own entry is committed.
  std::unordered_map<std::uint64_t, Duration> contacts_;  // Steady times.
};

}  // namespace dkron::raft
