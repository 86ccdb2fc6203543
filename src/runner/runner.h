// Runner: what happens to a run after its launch was committed; the leader only.
//
// Lives on Changes: an opened attempt is handed to its node, a waiting retry gets its turn, the
// children of a finished run are started. Everything that is still to do stands in the replicated
// state, so a new leader's take_over() goes on where the old one stopped; nothing here is worth
// keeping. Main loop's thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "runner/services.h"
#include "state/views.h"

namespace dkron::runner {

class Runner {
 public:
  static constexpr Duration kAgain = seconds(1);  // Pause after a proposal that did not go through.
  static constexpr std::size_t kPageRuns = 512;   // Taken over at a time.

  Runner(Services services, GroupIds& groups);

  // From now on Changes are acted on; those of before are told by take_over().
  void start();
  // Goes on with `work`. Jobs are read on the workers, in pages; `done` is called when every run of
  // it was handed to its node, or with the error that came in between: then take over anew, since
  // doing a part twice is harmless. After stop() the rest is left out.
  using OnTakenOver = std::function<void(const Result<void>&)>;
  void take_over(state::OpenWork work, OnTakenOver done);
  void stop();

  void on_change(const state::AttemptOpened& change);
  void on_change(const state::RetryScheduled& change);
  void on_change(const state::FollowUpOpened& change);

 private:
  struct Retry {
    std::uint64_t uid = 0;
    std::int64_t group = 0;
    std::string node;
    std::uint32_t attempt = 0;
  };
  void arm_retries();
  void propose_due_retries();
  void propose_retry(const Retry& retry);
  void start_children(const store::FollowUp& follow_up);
  void start_children_later(const store::FollowUp& follow_up);
  void propose_child(const store::FollowUp& follow_up, const std::string& child,
                     const std::vector<std::string>& targets);
  struct TakeOver;
  void take_over_page(const std::shared_ptr<TakeOver>& take_over);
  void reopen(const store::OpenGroup& group, const std::shared_ptr<const model::Job>& job);

  Services services_;
  GroupIds& groups_;
  bool running_ = false;
  std::uint64_t term_ = 0;  // Grows with each stop().
  std::multimap<Duration, Retry>
      retries_;  // By monotonic time: steps of the wall clock delay none.
  std::unique_ptr<Timer> retry_timer_;
  std::vector<store::FollowUp> delayed_follow_ups_;  // Tried again when the timer ends.
  std::unique_ptr<Timer> follow_up_timer_;
};

}  // namespace dkron::runner
