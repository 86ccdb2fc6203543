// Witness: watches the log of a simulation and checks what must hold, with knowledge of its own.
//
// Applies every entry to a replica of its own before any server does, follows each job's
// activations with cron::Schedule alone, and demands that every due instant gets exactly one
// outcome, in order, and that the counters of the state are what its rows say. A check that fails
// ends the simulation.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "sim_raft.h"
#include "state/machine.h"
#include "store.pb.h"
#include "store/memory_store.h"

namespace dkron::sim {

class Witness {
 public:
  Witness(const SimTime& time, Log& log);

  // Prints what happens to the job of that name.
  void trace(std::string job) { traced_ = std::move(job); }
  void on_append(std::uint64_t index);
  void on_dispatch(const state::AttemptOpened& attempt) const;

  // A write with this mark in `displayname` took effect.
  bool has_written(const std::string& mark) const { return written_.count(mark) != 0; }
  bool has_opened(std::int64_t group) const { return groups_.count(group) != 0; }
  std::vector<std::string> job_names() const;

  // At a moment without trouble: nothing is due and without outcome for longer than `tolerance`.
  void check_nothing_overdue(Instant now, Duration tolerance) const;
  // When all jobs are disabled and time has passed.
  void check_nothing_open() const;
  // The ledger's rows say what was decided, without gap and overlap.
  void check_ledgers() const;
  // Another replica that applied the whole log holds the same rows.
  void check_replica(const std::string& name, const store::MemoryStore& store) const;
  void check_replay() const;
  const store::MemoryStore& store() const { return store_; }

  std::uint64_t launches() const { return launches_; }
  std::uint64_t skips() const { return skips_; }
  std::uint64_t misses() const { return misses_; }
  std::uint64_t refusals() const { return refusals_; }

 private:
  // Refused launches of one job in a row, above which the launcher is taken to spin.
  static constexpr int kRefusedInARow = 30;

  struct Cover {
    Instant first;
    Instant last;
    std::uint32_t count = 1;
    bool count_is_minimum = false;
  };
  struct Watched {
    model::Job job;
    std::optional<cron::Schedule> schedule;
    Instant next;    // The oldest instant without outcome; zero: none will come.
    Instant newest;  // With an outcome.
    Duration edited_at{0};
    int refused = 0;
    std::deque<Cover> covers;
  };
  // What an entry did to one job by commands that move activations.
  struct Edit {
    Instant now;
    Instant next;
    bool is_set_next = false;
    bool clock_went_back = false;
  };

  void trace_entry(std::uint64_t index) const;
  void read_command(const raft::Command& command, const raft::Outcome& outcome);
  void on_launch(const store::LaunchCommand& command, const raft::Outcome& outcome);
  void on_miss(const store::MissCommand& command, const raft::Outcome& outcome);
  void on_set_job(const store::SetJobCommand& command, const raft::Outcome& outcome);
  void on_toggle(const store::ToggleJobCommand& command, const raft::Outcome& outcome);
  void on_set_next(const store::SetNextCommand& command, const raft::Outcome& outcome);
  void advance(std::uint64_t uid, Instant first, Instant last, std::uint32_t count,
               bool count_is_minimum, Instant next);
  void refused(std::uint64_t uid, const raft::Outcome& outcome);
  void check_policy(const Watched& watched, const store::MissCommand& command) const;
  void reload(const std::string& name, const std::vector<Edit>& edits);
  void check_skip(const Watched& before, Instant next) const;
  static void forget_future(Watched* watched, Instant now);
  void check_first(const Watched& before, const model::Job& job, Instant now, Instant next) const;
  void check_edit_lost_nothing(const Watched& before, Instant now);
  void check_slots(std::uint64_t uid) const;
  void check_counters(std::uint64_t uid) const;
  void check_ledger(const Watched& watched) const;
  std::string say(const Watched& watched) const;

  const SimTime& time_;
  Log& log_;
  store::MemoryStore store_;
  std::unique_ptr<state::Machine> machine_;
  state::Changes changes_;
  std::map<std::uint64_t, Watched> jobs_;
  std::map<std::string, std::vector<Edit>> edits_;  // Of the entry under examination.
  std::set<std::uint64_t> admitted_;                // Jobs that took a slot in it.
  std::set<std::uint64_t> requests_;
  std::set<std::string> written_;
  std::set<std::int64_t> groups_;
  std::set<std::tuple<std::uint64_t, std::int64_t, std::string, std::uint32_t, std::uint64_t>>
      opened_;
  std::string traced_;
  std::uint64_t launches_ = 0;
  std::uint64_t skips_ = 0;
  std::uint64_t misses_ = 0;
  std::uint64_t refusals_ = 0;
};

}  // namespace dkron::sim
