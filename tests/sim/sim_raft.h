// SimRaft: raft as its users see it, over a log that all servers of the simulation share.
//
// A proposal waits for its entry, the entry is in flight for a while, then it stands in the log and
// every server applies it, the leader at once and the others later. Leadership can be taken away:
// of what was in flight the log keeps a prefix, and its proposers learn only that the outcome is
// unknown. The former leader learns of its fate later still. One object per server and life of its
// process.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "raft/node.h"
#include "sim_time.h"

namespace dkron::sim {

struct Entry {
  std::vector<raft::Command> commands;
  std::vector<raft::Outcome> outcomes;  // Of the witness; every server must agree.
};

// What survives every crash.
struct Log {
  std::vector<Entry> entries;  // Index 1 first.
  std::uint64_t term = 0;
  std::string leader_name;  // Of this term; empty: none.
  // The entry is committed: fills in the outcomes, and lets the servers follow.
  std::function<void(std::uint64_t index)> on_append;

  void append(Entry entry) {
    entries.push_back(std::move(entry));
    on_append(size());
  }
  std::uint64_t size() const { return entries.size(); }
};

std::vector<raft::CommandView> views_of(const Entry& entry);
bool same_outcomes(const std::vector<raft::Outcome>& a, const std::vector<raft::Outcome>& b);

class SimRaft final : public raft::Node {
 public:
  struct Environment {
    SimTime& time;
    SimLoop& loop;
    Random& random;
    const Faults& faults;
    Log& log;
    std::string name;
    std::function<void()> on_role_change;
  };
  SimRaft(Environment environment, raft::StateMachine& machine)
      : env_(std::move(environment)), machine_(machine) {}

  // This server wins `log.term`; it has everything that is in the log.
  void win();
  // Another term began: a prefix of what is in flight is put into the log, the rest never will be.
  // The server itself still takes itself for the leader.
  void surrender();
  // The server learns that it does not lead.
  void learn_of_loss();
  bool is_leader() const { return role_ == raft::Status::Role::Leader; }
  // Leads, and the others think so too.
  bool is_real_leader() const { return is_leader() && term_ == env_.log.term; }
  void catch_up();

  raft::Identity identity() const override { return {env_.name, 4711, 0}; }
  void propose(std::vector<raft::Command> commands, raft::ProposeCallback callback,
               bool may_linger) override;
  void barrier(std::function<void(Result<void>)> callback) override;
  raft::Status status() const override;
  // The group of the simulation never changes.
  void found(OnDone done) override { refuse(std::move(done)); }
  void adopt(std::uint64_t, std::uint64_t, OnDone done) override { refuse(std::move(done)); }
  void add_server(std::string, std::string, OnDone done) override { refuse(std::move(done)); }
  void promote(std::string, OnDone done) override { refuse(std::move(done)); }
  void remove_server(std::uint64_t, OnDone done) override { refuse(std::move(done)); }
  void transfer_leadership(std::string, OnDone done) override { refuse(std::move(done)); }
  void accept(UniqueFd) override {}
  void snapshot(std::function<void(Result<void>)> callback) override { callback({}); }
  void close() override {}

 private:
  struct Proposal {
    std::vector<raft::Command> commands;
    raft::ProposeCallback callback;
  };
  struct Flight {
    std::vector<Proposal> proposals;
  };
  void answer(raft::ProposeCallback callback, ErrorCode code);
  void refuse(OnDone done);
  void fly();
  void land();
  static Entry to_entry(const Flight& flight);
  void answer_outcomes(const Flight& flight, const std::vector<raft::Outcome>& outcomes);

  Environment env_;
  raft::StateMachine& machine_;
  raft::Status::Role role_ = raft::Status::Role::Follower;
  std::uint64_t term_ = 0;
  std::vector<Proposal> waiting_;
  std::deque<Flight> in_flight_;
  Duration lands_at_{0};
  std::vector<std::function<void(Result<void>)>> barriers_;
};

}  // namespace dkron::sim
