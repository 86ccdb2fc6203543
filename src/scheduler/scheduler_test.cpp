#include "scheduler/scheduler.h"

#include <gtest/gtest.h>

#include "net/loop.h"

namespace dkron::scheduler {
namespace {

class SchedulerTest : public testing::Test {
 protected:
  std::vector<std::uint64_t> tick() {
    due_.clear();
    scheduler_.tick();
    return due_;
  }
  net::Loop loop_;
  ManualClock clock_{Instant::from_unix(1'800'000'000)};
  std::vector<std::uint64_t> due_;
  int clock_back_ = 0;
  Scheduler scheduler_{loop_,
                       clock_,
                       {[this](std::vector<Due> due) {
                          for (const Due& d : due) due_.push_back(d.uid);
                        },
                        [this] { ++clock_back_; }}};
};

TEST_F(SchedulerTest, gives_due_jobs_once_and_in_order) {
  scheduler_.start();
  const Instant now = clock_.wall();
  scheduler_.set(1, now + seconds(2));
  scheduler_.set(2, now + seconds(1));
  scheduler_.set(3, now + seconds(9));
  EXPECT_TRUE(tick().empty());
  clock_.advance(seconds(2));
  EXPECT_EQ(tick(), (std::vector<std::uint64_t>{2, 1}));
  EXPECT_TRUE(tick().empty());
}

TEST_F(SchedulerTest, a_moved_job_is_due_at_its_new_time_only) {
  scheduler_.start();
  const Instant now = clock_.wall();
  scheduler_.set(1, now + seconds(1));
  scheduler_.set(1, now + seconds(5));
  clock_.advance(seconds(2));
  EXPECT_TRUE(tick().empty());
  clock_.advance(seconds(3));
  EXPECT_EQ(tick().size(), 1U);
  scheduler_.set(2, clock_.wall() + seconds(1));
  scheduler_.remove(2);
  scheduler_.set(3, Instant());
  clock_.advance(seconds(2));
  EXPECT_TRUE(tick().empty());
}

TEST_F(SchedulerTest, a_step_forward_makes_everything_due_at_once) {
  scheduler_.start();
  scheduler_.set(1, clock_.wall() + hours(1));
  clock_.step_wall(hours(2));
  EXPECT_EQ(tick().size(), 1U);
}

TEST_F(SchedulerTest, a_small_step_back_waits_and_a_large_one_asks_for_new_times) {
  scheduler_.start();
  scheduler_.set(1, clock_.wall() + seconds(1));
  clock_.step_wall(minutes(-30));
  clock_.advance(seconds(5));
  EXPECT_TRUE(tick().empty());
  EXPECT_EQ(clock_back_, 0);
  clock_.step_wall(hours(-48));
  tick();
  EXPECT_EQ(clock_back_, 1);
  tick();
  EXPECT_EQ(clock_back_, 1);
}

TEST_F(SchedulerTest, stale_entries_do_not_pile_up) {
  for (int i = 0; i < 100'000; ++i) scheduler_.set(1, clock_.wall() + seconds(1 + i % 7));
  EXPECT_EQ(scheduler_.size(), 1U);
  scheduler_.start();
  clock_.advance(seconds(10));
  EXPECT_EQ(tick().size(), 1U);
}

}  // namespace
}  // namespace dkron::scheduler
