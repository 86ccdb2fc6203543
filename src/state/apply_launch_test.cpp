#include "state/test_support.h"

namespace dkron::state {
namespace {

namespace keys = store::keys;
using store::LedgerRow;
using testing_support::at;
using testing_support::Bench;
using testing_support::job_named;
using testing_support::kStart;

template <class Message>
raft::Outcome refused(Bench& bench, Kind kind, const Message& message) {
  const auto before = bench.dump();
  const auto outcome = bench.apply(kind, message);
  EXPECT_NE(outcome.code, ErrorCode::Ok);
  EXPECT_EQ(bench.dump(), before);
  EXPECT_TRUE(bench.changes.empty());
  return outcome;
}

TEST(ApplyLaunch, opens_an_attempt_on_each_target_and_writes_the_ledger) {
  Bench bench;
  const auto uid = bench.set_job(job_named("a"));
  const auto answer = bench.launch("a", 10, {"n1", "n2"});
  EXPECT_TRUE(answer.launched());
  EXPECT_EQ(answer.group(), 10);
  EXPECT_EQ(answer.fence(), bench.machine->applied_index());
  const auto opened = bench.changes_of<AttemptOpened>();
  ASSERT_EQ(opened.size(), 2U);
  EXPECT_EQ(opened[1].node, "n2");
  EXPECT_EQ(opened[1].attempt, 1U);
  EXPECT_EQ(opened[1].fence, answer.fence());
  EXPECT_EQ(opened[1].scheduled_at, at(kStart + 10));
  EXPECT_EQ(opened[1].job->name, "a");
  const auto state = bench.state("a");
  EXPECT_EQ(state.open_groups(), 1U);
  EXPECT_EQ(state.held_slots(), 1U);
  EXPECT_EQ(model::get_time(state.last_instant()), at(kStart + 10));
  EXPECT_EQ(model::get_time(state.next()), at(kStart + 11));
  const auto rows = bench.ledger("a");
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].outcome(), LedgerRow::LAUNCHED);
  EXPECT_EQ(rows[0].group(), 10);
  EXPECT_EQ(bench.row<store::OpenGroup>(keys::group(uid, 10))->kind(), store::OpenGroup::SCHEDULED);
}

TEST(ApplyLaunch, an_instant_has_one_outcome) {
  Bench bench;
  bench.set_job(job_named("a"));
  bench.launch("a", 10);
  EXPECT_EQ(refused(bench, Kind::Launch, bench.launch_of("a", 10)).code, ErrorCode::Conflict);
  EXPECT_EQ(refused(bench, Kind::Launch, bench.launch_of("a", 9)).code, ErrorCode::Conflict);
  store::MissCommand miss;
  miss.set_uid(1);
  miss.set_schedule_revision(bench.definition("a").schedule_revision());
  model::set_time(miss.mutable_first(), at(kStart + 10));
  model::set_time(miss.mutable_last(), at(kStart + 12));
  miss.set_count(3);
  EXPECT_EQ(refused(bench, Kind::Miss, miss).code, ErrorCode::Conflict);
}

TEST(ApplyLaunch, instants_are_decided_in_their_order) {
  Bench bench;
  bench.set_job(job_named("a"));
  bench.aim_at("a", 10);
  EXPECT_EQ(refused(bench, Kind::Launch, bench.launch_of("a", 11)).code, ErrorCode::Conflict);
  EXPECT_EQ(bench.apply(Kind::Launch, bench.launch_of("a", 10)).code, ErrorCode::Ok);
  EXPECT_EQ(bench.apply(Kind::Launch, bench.launch_of("a", 11)).code, ErrorCode::Ok);
}

TEST(ApplyLaunch, a_changed_schedule_or_a_deleted_job_refuses) {
  Bench bench;
  bench.set_job(job_named("a"));
  auto command = bench.launch_of("a", 10);
  command.set_schedule_revision(9);
  EXPECT_EQ(refused(bench, Kind::Launch, command).code, ErrorCode::Conflict);
  command.set_uid(9);
  EXPECT_EQ(refused(bench, Kind::Launch, command).code, ErrorCode::NotFound);
}

TEST(ApplyLaunch, forbid_skips_while_a_run_holds_the_slot_and_names_it) {
  Bench bench;
  auto job = job_named("a");
  job.set_concurrency("forbid");
  bench.set_job(job);
  bench.launch("a", 10);
  const auto answer = bench.launch("a", 11);
  EXPECT_FALSE(answer.launched());
  EXPECT_EQ(answer.reason(), LedgerRow::CONCURRENCY);
  EXPECT_TRUE(bench.changes_of<AttemptOpened>().empty());
  ASSERT_EQ(bench.changes_of<InstantsSkipped>().size(), 1U);
  EXPECT_EQ(bench.ledger("a")[0].outcome(), LedgerRow::SKIPPED);
  EXPECT_EQ(bench.ledger("a")[0].blocked_by(), 10);
  bench.finish("a", 10, true);
  EXPECT_EQ(bench.state("a").held_slots(), 0U);
  EXPECT_TRUE(bench.launch("a", 12).launched());
}

TEST(ApplyLaunch, allow_runs_beside_itself) {
  Bench bench;
  bench.set_job(job_named("a"));
  EXPECT_TRUE(bench.launch("a", 10).launched());
  EXPECT_TRUE(bench.launch("a", 11).launched());
  EXPECT_EQ(bench.state("a").open_groups(), 2U);
}

TEST(ApplyLaunch, disabled_too_early_and_expired_instants_are_skipped_with_their_reason) {
  Bench bench;
  auto job = job_named("a");
  model::set_time(job.mutable_starts_at(), at(kStart + 10));
  model::set_time(job.mutable_expires_at(), at(kStart + 20));
  bench.set_job(job);
  EXPECT_EQ(bench.launch("a", 9).reason(), LedgerRow::NOT_STARTED_YET);
  EXPECT_TRUE(bench.launch("a", 10).launched());
  EXPECT_TRUE(bench.launch("a", 20).launched());
  EXPECT_EQ(bench.launch("a", 21).reason(), LedgerRow::EXPIRED);
  job.set_disabled(true);
  bench.set_job(job);
  EXPECT_EQ(bench.launch("a", 22).reason(), LedgerRow::DISABLED);
}

TEST(ApplyLaunch, without_target_people_see_a_failed_execution) {
  Bench bench;
  const auto uid = bench.set_job(job_named("a"));
  const auto answer = bench.launch("a", 10, {});
  EXPECT_EQ(answer.reason(), LedgerRow::NO_TARGET);
  EXPECT_EQ(bench.state("a").status(), "failed");
  EXPECT_EQ(bench.state("a").error_count(), 1);
  EXPECT_EQ(bench.state("a").open_groups(), 0U);
  EXPECT_EQ(bench.store.rows().at(keys::output(uid, 10, "", 1)),
            "no target nodes found to run job a");
  const auto finished = bench.changes_of<AttemptFinished>();
  ASSERT_EQ(finished.size(), 1U);
  EXPECT_TRUE(finished[0].run_complete);
  EXPECT_EQ(finished[0].execution.id(), "-6795364578871345152-");
}

TEST(ApplyLaunch, a_manual_run_ignores_the_slot_unless_it_is_told_to_respect_it) {
  Bench bench;
  auto job = job_named("a");
  job.set_concurrency("forbid");
  bench.set_job(job);
  bench.launch("a", 10);
  store::ManualRunCommand run;
  run.set_name("a");
  run.set_group(100);
  EXPECT_EQ(refused(bench, Kind::ManualRun, run).code, ErrorCode::Conflict);  // No target.
  run.add_targets("n1");
  EXPECT_EQ(bench.apply(Kind::ManualRun, run).code, ErrorCode::Ok);
  EXPECT_EQ(bench.state("a").held_slots(), 1U);
  EXPECT_EQ(bench.state("a").open_groups(), 2U);
  EXPECT_EQ(model::get_time(bench.state("a").last_instant()), at(kStart + 10));
  run.set_group(101);
  run.set_respect_concurrency(true);
  const auto outcome = refused(bench, Kind::ManualRun, run);
  EXPECT_EQ(outcome.code, ErrorCode::Conflict);
  EXPECT_EQ(outcome.message, "job a is already running, concurrency policy forbids another run");
  bench.finish("a", 10, true);
  bench.finish("a", 100, true);
  EXPECT_EQ(bench.apply(Kind::ManualRun, run).code, ErrorCode::Ok);
  EXPECT_EQ(bench.state("a").held_slots(), 1U);
  run.set_name("b");
  EXPECT_EQ(refused(bench, Kind::ManualRun, run).code, ErrorCode::NotFound);
}

TEST(ApplyLaunch, a_group_that_is_open_cannot_be_opened_again) {
  Bench bench;
  bench.set_job(job_named("a"));
  bench.launch("a", 10);
  store::ManualRunCommand run;
  run.set_name("a");
  run.set_group(10);
  run.add_targets("n1");
  EXPECT_EQ(refused(bench, Kind::ManualRun, run).code, ErrorCode::Conflict);
  auto launch = bench.launch_of("a", 11);
  launch.set_group(10);
  EXPECT_EQ(refused(bench, Kind::Launch, launch).code, ErrorCode::Conflict);
  bench.finish("a", 10, true);
  EXPECT_EQ(bench.state("a").open_groups(), 0U);
}

TEST(ApplyLaunch, a_node_that_is_named_twice_runs_once) {
  Bench bench;
  const auto uid = bench.set_job(job_named("a"));
  bench.launch("a", 10, {"n1", "n2", "n1"});
  EXPECT_EQ(bench.changes_of<AttemptOpened>().size(), 2U);
  EXPECT_EQ(bench.row<store::OpenGroup>(keys::group(uid, 10))->targets_size(), 2);
}

TEST(ApplyLaunch, a_success_lists_the_children_and_each_is_started_once) {
  Bench bench;
  const auto parent = bench.set_job(job_named("p"));
  bench.set_job(job_named("c", "p"));
  bench.set_job(job_named("d", "p"));
  bench.launch("p", 10);
  bench.finish("p", 10, true);
  const auto told = bench.changes_of<FollowUpOpened>();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].follow_up.children_size(), 2);

  store::DependentRunCommand run;
  run.set_name("c");
  run.set_parent_uid(parent);
  run.set_parent_group(10);
  run.set_group(20);
  run.add_targets("n1");
  EXPECT_EQ(bench.apply(Kind::DependentRun, run).code, ErrorCode::Ok);
  EXPECT_EQ(bench.state("c").open_groups(), 1U);
  EXPECT_EQ(bench.state("c").held_slots(), 1U);
  run.set_group(21);
  EXPECT_EQ(refused(bench, Kind::DependentRun, run).code, ErrorCode::Conflict);

  // A child that was deleted meanwhile is struck off, so that the list comes to an end.
  store::DeleteJobCommand removal;
  removal.set_name("d");
  bench.apply(Kind::DeleteJob, removal);
  run.set_name("d");
  const auto outcome = bench.apply(Kind::DependentRun, run);
  EXPECT_EQ(outcome.code, ErrorCode::Ok);
  store::LaunchAnswer answer;
  answer.ParseFromString(outcome.payload);
  EXPECT_FALSE(answer.launched());
  EXPECT_EQ(bench.count("f/"), 0U);
}

TEST(ApplyLaunch, a_child_obeys_its_own_limits) {
  Bench bench;
  const auto parent = bench.set_job(job_named("p"));
  auto child = job_named("c", "p");
  child.set_concurrency("forbid");
  bench.set_job(child);
  store::LaunchAnswer answer;
  for (int group : {10, 11}) {
    bench.launch("p", group);
    bench.finish("p", group, true);
    store::DependentRunCommand run;
    run.set_name("c");
    run.set_parent_uid(parent);
    run.set_parent_group(group);
    run.set_group(group + 100);
    run.add_targets("n1");
    answer.ParseFromString(bench.apply(Kind::DependentRun, run).payload);
  }
  EXPECT_FALSE(answer.launched());
  EXPECT_EQ(answer.reason(), LedgerRow::CONCURRENCY);
  EXPECT_EQ(bench.count("f/"), 0U);
  EXPECT_EQ(bench.state("c").open_groups(), 1U);
}

TEST(ApplyLaunch, a_failure_starts_no_children) {
  Bench bench;
  bench.set_job(job_named("p"));
  bench.set_job(job_named("c", "p"));
  bench.launch("p", 10);
  bench.finish("p", 10, false);
  EXPECT_EQ(bench.count("f/"), 0U);
}

TEST(ApplyLaunch, the_start_of_an_attempt_is_noted_while_it_is_open) {
  Bench bench;
  const auto uid = bench.set_job(job_named("a"));
  bench.launch("a", 10);
  store::StartedCommand started;
  started.set_uid(uid);
  started.set_group(10);
  started.set_node("n1");
  started.set_attempt(1);
  model::set_time(started.mutable_started_at(), at(kStart + 11));
  EXPECT_EQ(bench.apply(Kind::Started, started).code, ErrorCode::Ok);
  EXPECT_EQ(
      model::get_time(bench.row<store::OpenGroup>(keys::group(uid, 10))->targets(0).started_at()),
      at(kStart + 11));
  started.set_attempt(2);
  EXPECT_EQ(refused(bench, Kind::Started, started).code, ErrorCode::Conflict);
  started.set_group(11);
  EXPECT_EQ(refused(bench, Kind::Started, started).code, ErrorCode::NotFound);
}

}  // namespace
}  // namespace dkron::state
