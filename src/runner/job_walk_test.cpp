#include "runner/job_walk.h"

#include "runner/ledger_cleaner.h"
#include "runner/test_support.h"

namespace dkron::runner {
namespace {

using testing_support::at;
using testing_support::job_named;
using testing_support::kStart;
using testing_support::Leader;

constexpr std::size_t kPage = JobWalk::kPageJobs;

class JobWalkTest : public testing::Test {
 protected:
  void make_jobs(std::size_t count) {
    std::vector<raft::Command> commands;
    for (std::size_t i = 0; i < count; ++i) {
      store::SetJobCommand command;
      *command.mutable_definition() = job_named("job" + std::to_string(100'000 + i));
      commands.push_back(state::make_command(state::Kind::SetJob, command));
    }
    ASSERT_TRUE(leader_.bench.try_apply(commands));
  }
  JobWalk walk_over_all() {
    return JobWalk(leader_.services(), "a test",
                   [this](const store::Reader&, const model::Job& job, Instant) {
                     seen_.push_back(job.name);
                     store::SetNextCommand command;
                     command.set_uid(job.uid);
                     command.set_schedule_revision(job.schedule_revision);
                     return std::optional(state::make_command(state::Kind::SetNext, command));
                   });
  }

  Leader leader_;
  std::vector<std::string> seen_;
};

TEST_F(JobWalkTest, proposes_page_after_page_each_behind_the_outcome_of_the_one_before) {
  make_jobs(2 * kPage + 10);
  JobWalk walk = walk_over_all();
  walk.start();
  EXPECT_TRUE(seen_.empty());  // Not on the loop.
  for (const std::size_t size : {kPage, kPage, std::size_t{10}}) {
    leader_.work();
    EXPECT_TRUE(leader_.workers.tasks.empty());
    ASSERT_EQ(leader_.proposals.size(), 1U);
    EXPECT_EQ(leader_.proposals[0].commands.size(), size);
    EXPECT_TRUE(walk.is_under_way());
    leader_.commit();
  }
  EXPECT_FALSE(walk.is_under_way());
  EXPECT_TRUE(leader_.workers.tasks.empty());
  EXPECT_EQ(std::set<std::string>(seen_.begin(), seen_.end()).size(), 2 * kPage + 10);
  EXPECT_EQ(seen_.size(), 2 * kPage + 10);
}

TEST_F(JobWalkTest, a_page_that_was_refused_comes_again_and_no_other) {
  make_jobs(kPage + 1);
  JobWalk walk = walk_over_all();
  walk.start();
  leader_.work();
  leader_.commit();
  leader_.work();
  leader_.refuse();
  EXPECT_TRUE(leader_.workers.tasks.empty());
  leader_.workers.is_busy = true;
  leader_.loop.pass(JobWalk::kAgain);
  leader_.workers.is_busy = false;
  leader_.loop.pass(JobWalk::kAgain);
  leader_.work();
  ASSERT_EQ(leader_.proposals.size(), 1U);
  EXPECT_EQ(leader_.proposals[0].commands.size(), 1U);
  leader_.commit();
  EXPECT_FALSE(walk.is_under_way());
}

TEST_F(JobWalkTest, a_page_with_a_job_that_was_changed_meanwhile_comes_again) {
  make_jobs(3);
  JobWalk walk = walk_over_all();
  walk.start();
  leader_.work();
  auto edited = job_named("job100001");
  edited.set_schedule("@every 2s");
  leader_.bench.set_job(edited);
  leader_.commit();
  EXPECT_TRUE(walk.is_under_way());
  leader_.loop.pass(JobWalk::kAgain);
  leader_.work();
  leader_.commit();
  EXPECT_FALSE(walk.is_under_way());
}

TEST_F(JobWalkTest, does_nothing_more_when_it_was_stopped) {
  make_jobs(kPage + 1);
  JobWalk walk = walk_over_all();
  walk.start();
  leader_.work();
  walk.stop();
  leader_.commit();
  leader_.loop.pass(hours(1));
  EXPECT_TRUE(leader_.workers.tasks.empty());
  walk.start();
  walk.stop();
  leader_.work();
  EXPECT_TRUE(leader_.proposals.empty());
}

TEST(LedgerCleaner, trims_the_ledgers_of_resting_jobs_once_a_day) {
  Leader leader;
  leader.bench.set_job(job_named("rests"));
  leader.bench.launch("rests", 1);
  leader.bench.set_job(job_named("works"));
  const std::int64_t days_31 = 31 * 24 * 3600;
  leader.bench.launch("works", days_31);
  leader.clock.wall_now = at(kStart + days_31);
  LedgerCleaner cleaner(leader.services());
  cleaner.start();
  EXPECT_TRUE(leader.workers.tasks.empty());
  leader.loop.pass(LedgerCleaner::kFirstPause);
  leader.work();
  ASSERT_EQ(leader.proposals.size(), 1U);
  EXPECT_EQ(leader.proposals[0].commands.size(), 1U);
  leader.commit();
  EXPECT_EQ(leader.bench.ledger("rests").size(), 0U);
  EXPECT_EQ(leader.bench.ledger("works").size(), 1U);

  leader.loop.pass(LedgerCleaner::kPause);
  leader.work();
  EXPECT_TRUE(leader.proposals.empty());  // Nothing is old.
  leader.clock.wall_now = leader.clock.wall_now + hours(24 * 31);
  leader.loop.pass(LedgerCleaner::kPause);
  leader.work();
  leader.commit();
  EXPECT_EQ(leader.bench.ledger("works").size(), 0U);
  cleaner.stop();
  leader.loop.pass(LedgerCleaner::kPause);
  EXPECT_TRUE(leader.workers.tasks.empty());
}

}  // namespace
}  // namespace dkron::runner
