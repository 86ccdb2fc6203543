// RunWaiters: the requests that wait for the end of a run (`POST /v1/jobs/:job/run?wait=true`).
//
// A request is taken in before its run is proposed and told by the Changes of the log from then on,
// so that no end is missed, also one that comes before the outcome of the proposal is known. At
// most kLimit wait; who comes beyond is refused before anything runs. Each callback is called once.
// Main loop's thread, owned by LeaderControl.
#pragma once

#include <cstdint>
#include <functional>
#include <map>

#include "state/changes.h"
#include "state/control.h"

namespace dkron::agent {

class RunWaiters {
 public:
  // Each holds a connection (of 10,000) and a job's definition for as long as its run takes.
  static constexpr std::size_t kLimit = 1024;

  using OnRun = state::Control::OnRun;

  bool is_full() const { return waiting_.size() >= kLimit; }
  std::size_t size() const { return waiting_.size(); }

  // Waits for the end of the run of that group, which is not proposed yet. Not when full.
  void add(state::StartedRun run, OnRun done);
  // The proposal came to nothing, or nobody knows; nothing happens when the run has ended already.
  void refuse(std::int64_t group, const Error& error);
  // The server goes down.
  void give_up();

  void on_change(const state::AttemptOpened& change);
  void on_change(const state::AttemptFinished& change);
  void on_change(const state::JobDeleted& change);

 private:
  struct Waiter {
    state::StartedRun run;
    OnRun done;
    std::uint64_t uid = 0;  // Of the job; 0: the run is not known to be committed.
  };
  using Waiting = std::map<std::int64_t, Waiter>;  // By group, which is unique on one leader.

  void end(Waiting::iterator waiter);

  Waiting waiting_;
};

}  // namespace dkron::agent
