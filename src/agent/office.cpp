#include "agent/office.h"

#include "base/log.h"
#include "state/commands.h"

namespace dkron::agent {
namespace {

constexpr Duration kAgain = milliseconds(500);

}  // namespace

void Office::on_role_change() {
  const raft::Status status = services_.raft.status();
  const bool leads = status.role == raft::Status::Role::Leader;
  // Leadership may be lost and won again before anybody looks; that is another term.
  if (leads == is_leader_ && (!leads || status.term == term_)) return;
  if (is_leader_) lose();
  is_leader_ = leads;
  term_ = status.term;
  ++tenure_;
  if (leads) take();
}

void Office::take() {
  services_.raft.barrier([this, tenure = tenure_](const Result<void>& reached) {
    if (tenure != tenure_) return;
    if (!reached) {
      try_again_later("dkron: failed to wait for barrier", reached.error());
      return;
    }
    initialise_cluster();
    // What changes while the open work is read is acted on at once; that it may be told twice is
    // harmless.
    if (may_launch_) services_.runs.start();
    read_open_work();
  });
}

// The first leader of a cluster writes its id into the state; later ones find it there.
void Office::initialise_cluster() {
  store::InitClusterCommand command;
  command.set_cluster_id(services_.raft.identity().cluster_id);
  services_.runner.propose(
      {state::make_command(state::Kind::InitCluster, command)},
      [](const Result<std::vector<raft::Outcome>>& outcomes) {
        if (!outcomes)
          log::warning("dkron: the cluster id was not recorded", {{"error", outcomes.error()}});
      },
      false);
}

void Office::read_open_work() {
  const bool accepted =
      services_.runner.workers.try_post([this, tenure = tenure_, &store = services_.runner.store,
                                         post = services_.runner.loop.poster()] {
        auto work = state::list_open_work(*store.snapshot());
        post([this, tenure, work = std::move(work)]() mutable {
          if (tenure == tenure_) take_over(std::move(work));
        });
      });
  if (!accepted) {
    try_again_later("dkron: failed to establish leadership",
                    Error{ErrorCode::Overloaded, "the workers are busy"});
  }
}

void Office::take_over(Result<state::OpenWork> work) {
  if (!work) {
    try_again_later("dkron: failed to establish leadership", work.error());
    return;
  }
  const std::size_t open_runs = work->groups.size();
  services_.runs.take_over(
      std::move(*work), [this, tenure = tenure_, open_runs](const Result<void>& taken) {
        if (tenure != tenure_) return;
        if (taken) {
          enter(open_runs);
        } else {
          try_again_later("dkron: failed to establish leadership", taken.error());
        }
      });
}

void Office::enter(std::size_t open_runs) {
  is_held_ = true;
  log::info("dkron: cluster leadership acquired");
  if (may_launch_) {
    log::info("agent: Starting scheduler",
              {{"jobs", services_.runner.index.size()}, {"open_runs", open_runs}});
    services_.launcher.start();
    ledger_cleaner_.start();
  }
  services_.on_taken();
}

void Office::lose() {
  services_.runs.stop();
  services_.on_lost();
  if (!is_held_) return;
  is_held_ = false;
  services_.launcher.stop();
  ledger_cleaner_.stop();
  log::info("dkron: cluster leadership lost");
}

void Office::stop_launching() {
  may_launch_ = false;
  services_.launcher.stop();
  ledger_cleaner_.stop();
  services_.runs.stop();
}

void Office::try_again_later(const char* step, const Error& error) {
  log::error(step, {{"error", error}});
  services_.runs.stop();  // What it has begun is read anew.
  again_timer_ = services_.runner.loop.make_timer();
  again_timer_->start(kAgain, [this, tenure = tenure_] {
    if (tenure == tenure_) take();
  });
}

}  // namespace dkron::agent
