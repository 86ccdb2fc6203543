// Launcher: turns due instants into committed launches; the leader only.
//
// The scheduler says which jobs are due; the Launcher plans each (scheduler/plan.h) and proposes
// all of a moment together. Nothing is dispatched here: a committed launch comes back as an
// AttemptOpened Change. Admission comes before the proposal: while kWaitingLimit runs wait for
// their process, due jobs stay in a queue, and each of them then runs its newest instant only. Main
// loop's thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>
#include <unordered_set>

#include "runner/job_walk.h"
#include "runner/services.h"
#include "scheduler/plan.h"
#include "scheduler/scheduler.h"

namespace dkron::runner {

class Launcher {
 public:
  static constexpr std::size_t kWaitingLimit = 4'096;
  // Commands of one proposal.
  static constexpr std::size_t kBatchJobs = 2'048;
  static constexpr std::size_t kCachedJobs = 20'000;
  // Late launches per second over all jobs, so that a replay does not crowd out what is due now.
  static constexpr double kReplaysPerSecond = 200;
  static constexpr Duration kRetryPause = milliseconds(100);

  Launcher(Services services, GroupIds& groups);

  // Takes office: every job of the index is scheduled.
  void start();
  void stop();

  void on_change(const state::JobChanged& change);
  void on_change(const state::JobDeleted& change);

  // Due jobs that are held back because too many runs wait.
  std::size_t held_back() const { return ready_.size(); }
  std::size_t scheduled() const { return scheduler_.size(); }
  // To be called when runs got their process: there may be room again.
  void pump();

 private:
  struct Planned {
    std::shared_ptr<const model::Job> job;
    cron::Schedule schedule;
  };
  using Loaded = std::vector<std::pair<std::uint64_t, Planned>>;
  struct Pending {
    std::uint64_t uid = 0;
    store::LedgerRow::Reason reason = store::LedgerRow::NONE;
    bool is_launch = false;
    bool late = false;
  };

  void on_due(std::vector<scheduler::Due> due);
  void arm(std::uint64_t uid);
  void arm_stale(std::uint64_t uid);
  void add_commands(const state::JobSummary& summary, const Planned& planned,
                    std::vector<raft::Command>* commands, std::vector<Pending>* pending);
  void propose(std::vector<raft::Command> commands, std::vector<Pending> pending);
  void on_outcome(const std::vector<Pending>& pending,
                  const Result<std::vector<raft::Outcome>>& outcomes);
  void load(std::vector<std::uint64_t> uids);
  void on_loaded(const std::vector<std::uint64_t>& asked, Loaded loaded);
  bool take_replay_token();
  void skip_decided(const state::JobSummary& summary, const cron::Schedule& schedule,
                    std::vector<raft::Command>* commands, std::vector<Pending>* pending);

  Services services_;
  GroupIds& groups_;
  scheduler::Scheduler scheduler_;
  std::deque<std::uint64_t> ready_;            // Due, waiting for their turn.
  std::unordered_set<std::uint64_t> in_hand_;  // In ready_, being loaded or proposed.
  std::unordered_set<std::uint64_t> held_;     // Were held back by the limit.
  std::unordered_map<std::uint64_t, Planned> cache_;
  std::size_t launches_in_flight_ = 0;
  double replay_tokens_ = kReplaysPerSecond;
  Duration replay_filled_at_{0};
  bool overload_logged_ = false;
  bool failure_logged_ = false;
  JobWalk renewal_;  // After the wall clock went far back.
};

// Reads and parses jobs; worker threads. Jobs that are gone or do not parse are left out (logged).
std::vector<std::pair<std::uint64_t, std::pair<std::shared_ptr<const model::Job>, cron::Schedule>>>
load_planned(const store::Reader& reader, const std::vector<std::uint64_t>& uids,
             const TimeZone& zone);

}  // namespace dkron::runner
