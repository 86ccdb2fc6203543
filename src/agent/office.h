// Office: what a server does because it leads, from winning leadership to losing it.
//
// Takes office in steps: a barrier (everything committed before is applied here), then the open
// work is read from the store and taken over by the runner, then the scheduler starts; so nothing
// that is due is launched before every open run has been handed to its node. Nothing of the former
// leader's memory is needed. Until the last step the server refuses what only a leader may do. Main
// loop's thread.
#pragma once

#include <cstdint>
#include <functional>

#include "raft/node.h"
#include "runner/launcher.h"
#include "runner/ledger_cleaner.h"
#include "runner/runner.h"

namespace dkron::agent {

class Office {
 public:
  struct Services {
    raft::Node& raft;
    runner::Services runner;
    runner::Launcher& launcher;
    runner::Runner& runs;
    std::function<void()> on_taken;
    std::function<void()> on_lost;  // After on_taken only, and when taking it ended early.
  };
  explicit Office(Services services)
      : services_(std::move(services)), ledger_cleaner_(services_.runner) {}

  // Looks at the raft role and acts; to be called after each change of it.
  void on_role_change();
  // No new runs from now on, nor retries and children: they stand in the state for the next leader.
  // Results of what is under way are still recorded.
  void stop_launching();
  bool is_held() const { return is_held_; }

 private:
  void take();
  void initialise_cluster();
  void read_open_work();
  void take_over(Result<state::OpenWork> work);
  void enter(std::size_t open_runs);
  void lose();
  void try_again_later(const char* step, const Error& error);

  Services services_;
  runner::LedgerCleaner ledger_cleaner_;
  bool is_leader_ = false;
  bool is_held_ = false;
  bool may_launch_ = true;
  std::uint64_t term_ = 0;    // In which it leads.
  std::uint64_t tenure_ = 0;  // Tells callbacks of an earlier leadership.
  std::unique_ptr<Timer> again_timer_;
};

}  // namespace dkron::agent
