#include "state/test_support.h"
#include "state/views.h"

namespace dkron::state {
namespace {

namespace keys = store::keys;
using testing_support::at;
using testing_support::Bench;
using testing_support::job_named;
using testing_support::kStart;

TEST(ApplyDone, a_result_becomes_an_execution_with_output_counters_and_statistics) {
  Bench bench;
  const auto uid = bench.set_job(job_named("a"));
  bench.launch("a", 10);
  bench.finish("a", 10, true);
  const auto row = bench.row<store::Execution>(keys::execution(uid, 10, "n1", 1));
  ASSERT_TRUE(row);
  EXPECT_TRUE(row->success());
  EXPECT_EQ(model::get_time(row->scheduled_at()), at(kStart + 10));
  EXPECT_EQ(bench.store.rows().at(keys::output(uid, 10, "n1", 1)), "output");
  const auto state = bench.state("a");
  EXPECT_EQ(state.success_count(), 1);
  EXPECT_EQ(state.status(), "success");
  EXPECT_EQ(state.open_groups(), 0U);
  EXPECT_EQ(state.execution_count(), 1U);
  EXPECT_EQ(model::get_time(state.last_success()), at(kStart + 11));
  EXPECT_EQ(bench.row<store::DailyStatistics>(keys::statistics(at(kStart + 11)))->success_count(),
            1U);
  EXPECT_EQ(bench.count(keys::groups_of(uid)), 0U);
  const auto finished = bench.changes_of<AttemptFinished>();
  ASSERT_EQ(finished.size(), 1U);
  EXPECT_TRUE(finished[0].run_complete);
}

TEST(ApplyDone, the_same_result_again_changes_nothing) {
  Bench bench;
  bench.set_job(job_named("a"));
  bench.launch("a", 10);
  bench.finish("a", 10, true);
  const auto before = bench.dump();
  bench.finish("a", 10, true);
  bench.finish("a", 10, false);
  bench.finish("a", 999, true);
  EXPECT_EQ(bench.dump(), before);
}

TEST(ApplyDone, the_status_is_decided_when_the_last_target_is_final) {
  for (const auto& [first, second, status] : std::vector<std::tuple<bool, bool, std::string>>{
           {true, true, "success"}, {true, false, "partially_failed"}, {false, false, "failed"}}) {
    Bench bench;
    bench.set_job(job_named("a"));
    bench.launch("a", 10, {"n1", "n2"});
    bench.finish("a", 10, first, "n1");
    EXPECT_EQ(bench.state("a").status(), "");
    EXPECT_EQ(bench.state("a").open_groups(), 1U);
    bench.finish("a", 10, second, "n2");
    EXPECT_EQ(bench.state("a").status(), status);
  }
}

TEST(ApplyDone, a_failure_with_retries_left_waits_and_is_started_again_once) {
  Bench bench;
  auto job = job_named("a");
  job.set_retries(1);
  const auto uid = bench.set_job(job);
  bench.launch("a", 10);
  auto failure = bench.done_of("a", 10, false);
  failure.set_retry_delay_ns(5'000'000'000);
  bench.apply(Kind::Done, failure);
  const auto scheduled = bench.changes_of<RetryScheduled>();
  ASSERT_EQ(scheduled.size(), 1U);
  EXPECT_EQ(scheduled[0].attempt, 2U);
  EXPECT_EQ(scheduled[0].due, at(kStart + 16));
  EXPECT_FALSE(bench.changes_of<AttemptFinished>().at(0).run_complete);
  EXPECT_EQ(bench.state("a").status(), "");
  EXPECT_EQ(bench.state("a").held_slots(), 1U);

  store::RetryCommand retry;
  retry.set_uid(uid);
  retry.set_group(10);
  retry.set_node("n1");
  retry.set_attempt(3);
  EXPECT_EQ(bench.apply(Kind::Retry, retry).code, ErrorCode::Conflict);
  retry.set_attempt(2);
  EXPECT_EQ(bench.apply(Kind::Retry, retry).code, ErrorCode::Ok);
  const auto opened = bench.changes_of<AttemptOpened>();
  ASSERT_EQ(opened.size(), 1U);
  EXPECT_EQ(opened[0].attempt, 2U);
  EXPECT_EQ(opened[0].fence, bench.machine->applied_index());
  EXPECT_EQ(bench.apply(Kind::Retry, retry).code, ErrorCode::Conflict);
  // The first attempt's result, sent again, is not the second one's.
  bench.finish("a", 10, false, "n1", 1);
  EXPECT_EQ(bench.state("a").open_groups(), 1U);

  bench.finish("a", 10, true, "n1", 2);
  EXPECT_EQ(bench.state("a").status(), "success");
  EXPECT_EQ(bench.state("a").error_count(), 1);
  EXPECT_EQ(bench.state("a").success_count(), 1);
  EXPECT_EQ(bench.apply(Kind::Retry, retry).code, ErrorCode::NotFound);
}

TEST(ApplyDone, the_last_failure_ends_the_run) {
  Bench bench;
  auto job = job_named("a");
  job.set_retries(1);
  bench.set_job(job);
  bench.launch("a", 10);
  bench.finish("a", 10, false);
  store::RetryCommand retry;
  retry.set_uid(1);
  retry.set_group(10);
  retry.set_node("n1");
  retry.set_attempt(2);
  bench.apply(Kind::Retry, retry);
  bench.finish("a", 10, false, "n1", 2);
  EXPECT_EQ(bench.state("a").status(), "failed");
  EXPECT_EQ(bench.state("a").open_groups(), 0U);
}

TEST(ApplyDone, a_late_result_replaces_what_was_given_up_as_lost) {
  Bench bench;
  const auto uid = bench.set_job(job_named("a"));
  bench.launch("a", 10);
  auto lost = bench.done_of("a", 10, false);
  lost.set_lost(true);
  lost.set_output("node lost during execution");
  bench.apply(Kind::Done, lost);
  EXPECT_EQ(bench.state("a").error_count(), 1);
  bench.apply(Kind::Done, lost);
  EXPECT_EQ(bench.state("a").error_count(), 1);

  bench.finish("a", 10, true);
  const auto row = bench.row<store::Execution>(keys::execution(uid, 10, "n1", 1));
  EXPECT_TRUE(row->success());
  EXPECT_FALSE(row->lost());
  EXPECT_EQ(model::get_time(row->scheduled_at()), at(kStart + 10));
  EXPECT_EQ(bench.store.rows().at(keys::output(uid, 10, "n1", 1)), "output");
  EXPECT_EQ(bench.state("a").error_count(), 0);
  EXPECT_EQ(bench.state("a").success_count(), 1);
  EXPECT_EQ(bench.state("a").execution_count(), 1U);
  const auto day = bench.row<store::DailyStatistics>(keys::statistics(at(kStart)));
  EXPECT_EQ(day->failed_count(), 0U);
  EXPECT_EQ(day->success_count(), 1U);
}

store::DoneCommand lost_of(const Bench& bench, std::int64_t group, const std::string& node = "n1") {
  auto lost = bench.done_of("a", group, false, node);
  lost.set_lost(true);
  return lost;
}

TEST(ApplyDone, a_late_result_is_told_and_corrects_the_status_that_its_run_decided) {
  Bench bench;
  bench.set_job(job_named("a"));
  bench.set_job(job_named("c", "a"));
  bench.launch("a", 10, {"n1", "n2"});
  bench.finish("a", 10, true, "n2");
  bench.apply(Kind::Done, lost_of(bench, 10));
  EXPECT_EQ(bench.state("a").status(), "partially_failed");
  bench.finish("a", 10, true);
  EXPECT_EQ(bench.state("a").status(), "success");
  const auto told = bench.changes_of<AttemptFinished>();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_TRUE(told[0].replaces_lost);
  EXPECT_TRUE(told[0].run_complete);
  EXPECT_TRUE(told[0].execution.success);
  EXPECT_FALSE(told[0].execution.lost);
  EXPECT_EQ(bench.count("f/"), 0U);  // What follows from a run is decided once.
  bench.finish("a", 10, true);
  EXPECT_TRUE(bench.changes_of<AttemptFinished>().empty());
}

TEST(ApplyDone, a_late_failure_is_told_and_leaves_the_status) {
  Bench bench;
  bench.set_job(job_named("a"));
  bench.launch("a", 10);
  bench.apply(Kind::Done, lost_of(bench, 10));
  bench.finish("a", 10, false);
  EXPECT_EQ(bench.state("a").status(), "failed");
  EXPECT_EQ(bench.state("a").error_count(), 1);
  ASSERT_EQ(bench.changes_of<AttemptFinished>().size(), 1U);
  EXPECT_TRUE(bench.changes_of<AttemptFinished>()[0].replaces_lost);
}

TEST(ApplyDone, a_late_result_leaves_the_status_of_a_newer_run) {
  Bench bench;
  bench.set_job(job_named("a"));
  bench.launch("a", 10);
  bench.apply(Kind::Done, lost_of(bench, 10));
  bench.launch("a", 11);
  bench.finish("a", 11, false);
  bench.finish("a", 10, true);
  EXPECT_EQ(bench.state("a").status(), "failed");
  EXPECT_EQ(bench.state("a").success_count(), 1);
}

TEST(ApplyDone, a_late_success_counts_for_its_run_while_that_is_open) {
  Bench bench;
  bench.set_job(job_named("a"));
  bench.set_job(job_named("c", "a"));
  bench.launch("a", 10, {"n1", "n2"});
  bench.apply(Kind::Done, lost_of(bench, 10));
  bench.finish("a", 10, true);
  ASSERT_EQ(bench.changes_of<AttemptFinished>().size(), 1U);
  EXPECT_FALSE(bench.changes_of<AttemptFinished>()[0].run_complete);
  bench.finish("a", 10, true, "n2");
  EXPECT_EQ(bench.state("a").status(), "success");
  EXPECT_EQ(bench.count("f/"), 1U);
}

TEST(ApplyDone, a_late_success_takes_the_place_of_the_retry_that_waits) {
  Bench bench;
  auto job = job_named("a");
  job.set_retries(1);
  const auto uid = bench.set_job(job);
  bench.launch("a", 10);
  bench.apply(Kind::Done, lost_of(bench, 10));
  EXPECT_EQ(bench.state("a").open_groups(), 1U);
  bench.finish("a", 10, true);
  EXPECT_EQ(bench.state("a").status(), "success");
  EXPECT_EQ(bench.state("a").open_groups(), 0U);
  store::RetryCommand retry;
  retry.set_uid(uid);
  retry.set_group(10);
  retry.set_node("n1");
  retry.set_attempt(2);
  EXPECT_EQ(bench.apply(Kind::Retry, retry).code, ErrorCode::NotFound);
}

TEST(ApplyDone, a_late_success_does_not_end_the_attempt_that_followed) {
  Bench bench;
  auto job = job_named("a");
  job.set_retries(1);
  const auto uid = bench.set_job(job);
  bench.launch("a", 10);
  bench.apply(Kind::Done, lost_of(bench, 10));
  store::RetryCommand retry;
  retry.set_uid(uid);
  retry.set_group(10);
  retry.set_node("n1");
  retry.set_attempt(2);
  EXPECT_EQ(bench.apply(Kind::Retry, retry).code, ErrorCode::Ok);
  bench.finish("a", 10, true);
  EXPECT_EQ(bench.state("a").open_groups(), 1U);
  bench.finish("a", 10, false, "n1", 2);
  EXPECT_EQ(bench.state("a").status(), "failed");
}

TEST(ApplyDone, an_ephemeral_job_goes_with_its_first_success) {
  Bench bench;
  auto job = job_named("a");
  job.set_ephemeral(true);
  bench.set_job(job);
  bench.launch("a", 10);
  bench.launch("a", 11);
  bench.finish("a", 10, false);
  bench.launch("a", 12);
  bench.finish("a", 11, true);
  EXPECT_EQ(bench.count("j/"), 1U);  // Another run is still under way.
  bench.finish("a", 12, true);
  EXPECT_EQ(bench.count("j/"), 0U);
  EXPECT_EQ(bench.count("x/") + bench.count("o/") + bench.count("l/") + bench.count("s/"), 0U);
  EXPECT_EQ(bench.changes_of<JobDeleted>().size(), 1U);
}

TEST(ApplyDone, an_ephemeral_job_with_children_stays) {
  Bench bench;
  auto job = job_named("a");
  job.set_ephemeral(true);
  bench.set_job(job);
  bench.set_job(job_named("c", "a"));
  bench.launch("a", 10);
  bench.finish("a", 10, true);
  EXPECT_EQ(bench.count("j/"), 2U);
  EXPECT_EQ(bench.count("f/"), 1U);
}

TEST(ApplyDone, keeps_the_newest_executions_and_their_outputs) {
  Bench bench;
  auto job = job_named("a");
  job.set_keep_executions(8);
  const auto uid = bench.set_job(job);
  for (int group = 1; group <= 40; ++group) {
    bench.launch("a", group);
    bench.finish("a", group, true);
    EXPECT_EQ(bench.state("a").execution_count(), bench.count(keys::executions_of(uid)));
    EXPECT_LE(bench.count(keys::executions_of(uid)), 10U);
    EXPECT_GE(bench.count(keys::executions_of(uid)), static_cast<std::size_t>(std::min(group, 8)));
  }
  EXPECT_EQ(bench.count(keys::outputs_of(uid)), bench.count(keys::executions_of(uid)));
  EXPECT_TRUE(bench.store.rows().contains(keys::execution(uid, 40, "n1", 1)));
}

TEST(ApplyDone, the_result_of_a_run_that_outlived_newer_ones_is_trimmed_too) {
  Bench bench;
  auto job = job_named("a");
  job.set_keep_executions(4);
  const auto uid = bench.set_job(job);
  bench.launch("a", 1);  // Runs long.
  for (int group = 2; group <= 20; ++group) {
    bench.launch("a", group);
    bench.finish("a", group, true);
  }
  bench.finish("a", 1, true);
  for (int group = 21; group <= 40; ++group) {
    bench.launch("a", group);
    bench.finish("a", group, true);
  }
  EXPECT_FALSE(bench.store.rows().contains(keys::execution(uid, 1, "n1", 1)));
  EXPECT_EQ(bench.state("a").execution_count(), bench.count(keys::executions_of(uid)));
}

TEST(ApplyDone, statistics_of_more_than_400_days_go_when_a_new_day_begins) {
  Bench bench;
  bench.set_job(job_named("a"));
  const std::int64_t day = 24 * 3600;
  const auto finish_on = [&](std::int64_t which, std::int64_t leader_day) {
    bench.launch("a", which * day);
    auto done = bench.done_of("a", which * day, true);
    model::set_time(done.mutable_now(), at(kStart + leader_day * day));
    EXPECT_EQ(bench.apply(Kind::Done, done).code, ErrorCode::Ok);
  };
  finish_on(1, 1);
  finish_on(400, 400);
  EXPECT_EQ(bench.count("d/"), 2U);
  finish_on(402, 402);
  EXPECT_EQ(bench.count("d/"), 2U);
  // A node whose clock is years ahead does not wipe out the history.
  finish_on(40'000, 403);
  EXPECT_EQ(bench.count("d/"), 3U);
}

}  // namespace
}  // namespace dkron::state
