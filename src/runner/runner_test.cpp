#include "runner/runner.h"

#include "runner/report.h"

#include "runner/test_support.h"

namespace dkron::runner {
namespace {

using testing_support::job_named;
using testing_support::Leader;

constexpr std::size_t kPage = Runner::kPageRuns;

class RunnerTest : public testing::Test {
 protected:
  void open_runs(std::size_t count) {
    leader_.bench.set_job(job_named("a"));
    for (std::size_t i = 1; i <= count; ++i) leader_.bench.launch("a", static_cast<int>(i));
  }
  state::OpenWork open_work() { return *state::list_open_work(leader_.bench.store.reader()); }
  void take_over() {
    runner_.start();
    runner_.take_over(open_work(), [this](const Result<void>& taken) {
      ++answers_;
      taken_ = taken;
    });
  }

  Leader leader_;
  GroupIds groups_{leader_.clock};
  Runner runner_{leader_.services(), groups_};
  int answers_ = 0;
  Result<void> taken_;
};

TEST_F(RunnerTest, takes_open_runs_over_in_pages_that_workers_read) {
  open_runs(2 * kPage + 3);
  take_over();
  EXPECT_TRUE(leader_.nodes.dispatched.empty());  // Nothing is read on the loop.
  leader_.work();
  EXPECT_EQ(leader_.nodes.dispatched.size(), kPage);
  leader_.work();
  EXPECT_EQ(leader_.nodes.dispatched.size(), 2 * kPage);
  EXPECT_EQ(answers_, 0);
  leader_.work();
  EXPECT_EQ(leader_.nodes.dispatched.size(), 2 * kPage + 3);
  EXPECT_EQ(answers_, 1);
  EXPECT_TRUE(taken_);
  EXPECT_TRUE(leader_.workers.tasks.empty());
}

TEST_F(RunnerTest, has_taken_over_at_once_when_nothing_is_open) {
  take_over();
  EXPECT_EQ(answers_, 1);
  EXPECT_TRUE(leader_.workers.tasks.empty());
}

TEST_F(RunnerTest, says_when_the_workers_are_too_busy) {
  open_runs(kPage + 1);
  take_over();
  leader_.workers.is_busy = true;
  leader_.work();
  EXPECT_EQ(answers_, 1);
  EXPECT_EQ(taken_.error().code, ErrorCode::Overloaded);
}

TEST_F(RunnerTest, leaves_the_rest_out_when_it_is_stopped_meanwhile) {
  open_runs(2 * kPage);
  take_over();
  leader_.work();
  runner_.stop();
  leader_.work();
  EXPECT_EQ(leader_.nodes.dispatched.size(), kPage);
  EXPECT_EQ(answers_, 1);
  EXPECT_TRUE(leader_.workers.tasks.empty());
}

TEST_F(RunnerTest, leaves_out_the_runs_of_a_job_that_is_gone) {
  open_runs(2);
  take_over();
  store::DeleteJobCommand removal;
  removal.set_name("a");
  leader_.bench.apply(state::Kind::DeleteJob, removal);
  leader_.work();
  EXPECT_TRUE(leader_.nodes.dispatched.empty());
  EXPECT_EQ(answers_, 1);
  EXPECT_TRUE(taken_);
}

TEST_F(RunnerTest, retries_and_children_that_wait_are_taken_over_too) {
  auto parent = job_named("p");
  parent.set_retries(1);
  leader_.bench.set_job(parent);
  leader_.bench.set_job(job_named("c", "p"));
  leader_.bench.launch("p", 1);
  leader_.bench.finish("p", 1, true);
  leader_.bench.launch("p", 2);
  leader_.bench.finish("p", 2, false);
  take_over();
  leader_.work();
  EXPECT_EQ(answers_, 1);
  leader_.work();  // The children's jobs.
  leader_.loop.pass(kRetryCap * 2);
  EXPECT_EQ(leader_.proposals.size(), 2U);
}

TEST_F(RunnerTest, tries_delayed_children_again_and_forgets_them_when_it_stops) {
  take_over();
  leader_.workers.is_busy = true;
  for (const char* parent : {"a", "b"}) {
    state::FollowUpOpened opened;
    opened.follow_up.set_job_name(parent);
    runner_.on_change(opened);
  }
  leader_.workers.is_busy = false;
  leader_.loop.pass(Runner::kAgain);
  EXPECT_EQ(leader_.workers.tasks.size(), 2U);

  leader_.workers.tasks.clear();
  leader_.workers.is_busy = true;
  runner_.on_change(state::FollowUpOpened{});
  leader_.workers.is_busy = false;
  runner_.stop();
  runner_.start();
  leader_.loop.pass(2 * Runner::kAgain);
  EXPECT_TRUE(leader_.workers.tasks.empty());
}

}  // namespace
}  // namespace dkron::runner
