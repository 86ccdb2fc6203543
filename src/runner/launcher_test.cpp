#include "runner/launcher.h"

#include "runner/test_support.h"

namespace dkron::runner {
namespace {

using testing_support::at;
using testing_support::job_named;
using testing_support::kStart;
using testing_support::Leader;

TEST(Launcher, renews_activations_in_bounded_proposals_when_the_clock_went_far_back) {
  Leader leader;
  constexpr std::size_t kJobs = JobWalk::kPageJobs + 5;
  std::vector<raft::Command> commands;
  for (std::size_t i = 0; i < kJobs; ++i) {
    store::SetJobCommand command;
    *command.mutable_definition() = job_named("job" + std::to_string(100'000 + i));
    command.mutable_definition()->set_schedule("@every 1h");
    model::set_time(command.mutable_next(), at(kStart + 3600));
    commands.push_back(state::make_command(state::Kind::SetJob, command));
  }
  ASSERT_TRUE(leader.bench.try_apply(commands));
  ASSERT_TRUE(state::load_index(leader.bench.store.reader(), &leader.index));
  GroupIds groups(leader.clock);
  Launcher launcher(leader.services(), groups);
  launcher.start();
  leader.loop.run();

  leader.clock.wall_now = at(kStart - 10 * 3600);
  leader.loop.pass(scheduler::Scheduler::kRecheck);
  EXPECT_TRUE(leader.proposals.empty());
  leader.work();
  ASSERT_EQ(leader.proposals.size(), 1U);
  EXPECT_EQ(leader.proposals[0].commands.size(), JobWalk::kPageJobs);
  EXPECT_TRUE(leader.workers.tasks.empty());  // One behind the other.
  leader.commit();
  leader.work();
  ASSERT_EQ(leader.proposals.size(), 1U);
  EXPECT_EQ(leader.proposals[0].commands.size(), 5U);
  leader.commit();
  for (const std::size_t i : {std::size_t{0}, kJobs - 1}) {
    const auto next =
        model::get_time(leader.bench.state("job" + std::to_string(100'000 + i)).next());
    EXPECT_LE(next, at(kStart - 9 * 3600 + 2));
  }
}

}  // namespace
}  // namespace dkron::runner
