// LedgerCleaner: drops ledger rows that are too old, also of jobs that get no new ones; the leader
// only.
//
// A job's ledger is trimmed as rows are added (state/apply_ledger.cpp); one that rests would keep
// its rows for ever. So once a day all jobs are looked at, and those with rows beyond the age limit
// are trimmed through the log. Main loop's thread.
#pragma once

#include "runner/job_walk.h"

namespace dkron::runner {

class LedgerCleaner {
 public:
  // After taking office, so that it does not compete with what is due then; and between two walks.
  static constexpr Duration kFirstPause = minutes(5);
  static constexpr Duration kPause = hours(24);

  explicit LedgerCleaner(const Services& services);

  void start();
  void stop();

 private:
  void clean();

  JobWalk walk_;
  std::unique_ptr<Timer> timer_;
};

}  // namespace dkron::runner
