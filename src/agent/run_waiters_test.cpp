#include "agent/run_waiters.h"

#include <gtest/gtest.h>

namespace dkron::agent {
namespace {

// What the waiters were told, one word each: "ended 7" or the error's text.
class RunWaitersTest : public testing::Test {
 protected:
  void add(std::int64_t group) {
    waiters_.add(state::StartedRun{group, {}}, [this](const Result<state::StartedRun>& run) {
      told_.push_back(run ? "ended " + std::to_string(run->group) : run.error().message);
    });
  }
  void open(std::uint64_t uid, std::int64_t group) {
    state::AttemptOpened opened;
    auto job = std::make_shared<model::Job>();
    job->uid = uid;
    opened.job = std::move(job);
    opened.group = group;
    waiters_.on_change(opened);
  }
  void finish(std::int64_t group, bool run_complete) {
    state::AttemptFinished finished;
    finished.execution.group = group;
    finished.run_complete = run_complete;
    waiters_.on_change(finished);
  }

  RunWaiters waiters_;
  std::vector<std::string> told_;
};

TEST_F(RunWaitersTest, are_told_when_the_whole_run_is_over) {
  add(7);
  add(8);
  open(1, 7);
  open(1, 8);
  finish(7, false);
  finish(9, true);
  EXPECT_TRUE(told_.empty());
  finish(7, true);
  EXPECT_EQ(told_, (std::vector<std::string>{"ended 7"}));
  EXPECT_EQ(waiters_.size(), 1U);
}

TEST_F(RunWaitersTest, an_end_before_the_outcome_is_known_counts_and_the_outcome_is_ignored) {
  add(7);
  open(1, 7);
  finish(7, true);
  waiters_.refuse(7, Error{ErrorCode::OutcomeUnknown, "the outcome is not known"});
  EXPECT_EQ(told_, (std::vector<std::string>{"ended 7"}));
}

TEST_F(RunWaitersTest, a_refused_run_is_answered_at_once) {
  add(7);
  waiters_.refuse(7, Error{ErrorCode::Conflict, "no target nodes"});
  finish(7, true);
  EXPECT_EQ(told_, (std::vector<std::string>{"no target nodes"}));
}

TEST_F(RunWaitersTest, a_deleted_job_ends_the_waiting_for_its_own_runs_only) {
  add(7);
  add(8);
  add(9);  // Not committed yet.
  open(1, 7);
  open(2, 8);
  waiters_.on_change(state::JobDeleted{1, "a"});
  EXPECT_EQ(told_, (std::vector<std::string>{"ended 7"}));
  EXPECT_EQ(waiters_.size(), 2U);
}

TEST_F(RunWaitersTest, giving_up_says_whether_the_run_is_under_way) {
  add(7);
  add(8);
  open(1, 7);
  waiters_.give_up();
  EXPECT_EQ(told_,
            (std::vector<std::string>{"the server is shutting down; the run goes on",
                                      "the server is shutting down; the run may still happen"}));
  EXPECT_EQ(waiters_.size(), 0U);
}

TEST_F(RunWaitersTest, are_full_at_the_limit_and_take_more_when_one_ends) {
  for (std::size_t i = 0; i < RunWaiters::kLimit; ++i) {
    ASSERT_FALSE(waiters_.is_full());
    add(static_cast<std::int64_t>(i));
  }
  EXPECT_TRUE(waiters_.is_full());
  finish(5, true);
  EXPECT_FALSE(waiters_.is_full());
}

// A client may ask for the next run from within the answer of the last one.
TEST_F(RunWaitersTest, a_callback_may_add_a_waiter) {
  waiters_.add(state::StartedRun{7, {}}, [this](const Result<state::StartedRun>&) { add(8); });
  finish(7, true);
  EXPECT_EQ(waiters_.size(), 1U);
}

}  // namespace
}  // namespace dkron::agent
