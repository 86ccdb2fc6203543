#include "scheduler/plan.h"

#include <gtest/gtest.h>

namespace dkron::scheduler {
namespace {

Instant at(const char* text) {
  return *parse_rfc3339(std::string("2026-03-01T") + text + "Z");
}

cron::Schedule schedule(const char* text) {
  return *cron::Schedule::parse(text, "job", {});
}

std::vector<Step> plan_for(const cron::Schedule& s, model::MissedPolicy policy, Duration window,
                           const char* due, const char* now, bool overloaded = false) {
  return plan(PlanInput{s, model::MissedRuns{policy, window}, at(due), at(now), overloaded});
}

TEST(Plan, launches_the_only_due_instant_under_every_policy) {
  const auto s = schedule("0 * * * * *");
  for (auto policy :
       {model::MissedPolicy::Latest, model::MissedPolicy::Skip, model::MissedPolicy::All}) {
    const auto steps = plan_for(s, policy, seconds(60), "10:00:00", "10:00:00.002");
    ASSERT_EQ(steps.size(), 1U);
    EXPECT_TRUE(steps[0].is_launch);
    EXPECT_FALSE(steps[0].late);
    EXPECT_EQ(steps[0].next, at("10:01:00"));
  }
}

TEST(Plan, latest_runs_the_newest_and_records_the_others) {
  const auto steps = plan_for(schedule("@every 10s"), model::MissedPolicy::Latest, seconds(60),
                              "10:00:00", "10:00:45");
  ASSERT_EQ(steps.size(), 2U);
  EXPECT_EQ(steps[0].first, at("10:00:00"));
  EXPECT_EQ(steps[0].last, at("10:00:30"));
  EXPECT_EQ(steps[0].count, 4U);
  EXPECT_EQ(steps[0].reason, MissReason::Superseded);
  EXPECT_TRUE(steps[1].is_launch);
  EXPECT_EQ(steps[1].first, at("10:00:40"));
  EXPECT_EQ(steps[1].next, at("10:00:50"));
}

TEST(Plan, instants_outside_the_window_are_only_recorded) {
  const auto steps = plan_for(schedule("0 * * * * *"), model::MissedPolicy::Latest, seconds(60),
                              "08:00:00", "10:00:30");
  ASSERT_EQ(steps.size(), 2U);
  EXPECT_EQ(steps[0].reason, MissReason::OutsideWindow);
  EXPECT_EQ(steps[0].last, at("09:59:00"));
  EXPECT_EQ(steps[0].count, 120U);
  EXPECT_TRUE(steps[1].is_launch);
  EXPECT_TRUE(steps[1].late);
  EXPECT_EQ(steps[1].first, at("10:00:00"));

  const auto hourly = plan_for(schedule("@hourly"), model::MissedPolicy::Latest, seconds(60),
                               "08:00:00", "10:30:00");
  ASSERT_EQ(hourly.size(), 1U);
  EXPECT_FALSE(hourly[0].is_launch);
  EXPECT_EQ(hourly[0].count, 3U);
  EXPECT_EQ(hourly[0].next, at("11:00:00"));
}

TEST(Plan, all_replays_one_instant_at_a_time_from_the_oldest) {
  const auto s = schedule("@every 1s");
  Instant due = at("10:00:00");
  int launches = 0;
  while (due <= at("10:00:20")) {
    const auto steps =
        plan(PlanInput{s, {model::MissedPolicy::All, hours(1)}, due, at("10:00:20"), false});
    ASSERT_EQ(steps.size(), 1U);
    EXPECT_EQ(steps[0].first, due);
    due = steps[0].next;
    ++launches;
  }
  EXPECT_EQ(launches, 21);
}

TEST(Plan, skip_drops_what_is_late) {
  const auto s = schedule("0 * * * * *");
  const auto late = plan_for(s, model::MissedPolicy::Skip, seconds(60), "10:00:00", "10:00:30");
  ASSERT_EQ(late.size(), 1U);
  EXPECT_FALSE(late[0].is_launch);
  EXPECT_EQ(late[0].reason, MissReason::PolicySkip);
  const auto just = plan_for(s, model::MissedPolicy::Skip, seconds(600), "09:58:00", "10:00:01");
  ASSERT_EQ(just.size(), 2U);
  EXPECT_EQ(just[0].count, 2U);
  EXPECT_TRUE(just[1].is_launch);
}

TEST(Plan, overload_is_named_as_the_reason) {
  const auto steps = plan_for(schedule("@every 1s"), model::MissedPolicy::Latest, seconds(60),
                              "10:00:00", "10:00:03", true);
  ASSERT_EQ(steps.size(), 2U);
  EXPECT_EQ(steps[0].reason, MissReason::Overload);
}

TEST(Plan, counting_stops_at_a_limit) {
  const auto steps = plan_for(schedule("* * * * * *"), model::MissedPolicy::Latest, seconds(60),
                              "00:00:00", "10:00:00");
  ASSERT_EQ(steps.size(), 3U);
  EXPECT_EQ(steps[0].count, kCountLimit);
  EXPECT_TRUE(steps[0].count_is_minimum);
  EXPECT_EQ(steps[1].count, 60U);
  EXPECT_EQ(steps[2].first, at("10:00:00"));
}

TEST(Plan, after_runs_once_within_its_grace_period) {
  const auto s = schedule("@after 2026-03-01T10:00:00Z <PT2H");
  const auto steps = plan_for(s, model::MissedPolicy::Latest, seconds(60), "10:00:00", "11:30:00");
  ASSERT_EQ(steps.size(), 1U);
  EXPECT_TRUE(steps[0].is_launch);
  EXPECT_TRUE(steps[0].next.is_zero());
}

}  // namespace
}  // namespace dkron::scheduler
