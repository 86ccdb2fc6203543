#include "state/test_support.h"

namespace dkron::state {
namespace {

namespace keys = store::keys;
using testing_support::at;
using testing_support::Bench;
using testing_support::job_named;
using testing_support::kStart;

store::SetJobCommand set_command(const store::JobDefinition& definition) {
  store::SetJobCommand command;
  *command.mutable_definition() = definition;
  return command;
}

// Applies what must be refused, and checks that it leaves nothing behind.
template <class Message>
raft::Outcome refused(Bench& bench, Kind kind, const Message& message) {
  const auto before = bench.dump();
  const auto outcome = bench.apply(kind, message);
  EXPECT_NE(outcome.code, ErrorCode::Ok);
  EXPECT_EQ(bench.dump(), before);
  EXPECT_TRUE(bench.changes.empty());
  return outcome;
}

TEST(ApplyJobs, a_new_job_gets_a_uid_that_is_never_used_again) {
  Bench bench;
  EXPECT_EQ(bench.set_job(job_named("a")), 1U);
  store::DeleteJobCommand removal;
  removal.set_name("a");
  EXPECT_EQ(bench.apply(Kind::DeleteJob, removal).code, ErrorCode::Ok);
  EXPECT_EQ(bench.set_job(job_named("a")), 2U);
  EXPECT_EQ(bench.store.rows().at(keys::name_of(2)), "a");
  EXPECT_EQ(bench.count(keys::name_of(1)), 0U);
}

TEST(ApplyJobs, an_edit_keeps_uid_and_state_and_moves_activations_only_when_the_schedule_moves) {
  Bench bench;
  const auto uid = bench.set_job(job_named("a"));
  const auto revision = bench.definition("a").schedule_revision();
  bench.launch("a", 10);

  auto edited = set_command(job_named("a"));
  edited.mutable_definition()->set_owner("me");
  model::set_time(edited.mutable_next(), at(kStart + 500));
  EXPECT_EQ(bench.apply(Kind::SetJob, edited).code, ErrorCode::Ok);
  EXPECT_EQ(bench.definition("a").uid(), uid);
  EXPECT_EQ(bench.definition("a").schedule_revision(), revision);
  EXPECT_EQ(bench.definition("a").revision(), bench.machine->applied_index());
  EXPECT_EQ(model::get_time(bench.state("a").next()), at(kStart + 11));
  EXPECT_EQ(bench.state("a").open_groups(), 1U);

  edited.mutable_definition()->set_schedule("@every 2s");
  EXPECT_EQ(bench.apply(Kind::SetJob, edited).code, ErrorCode::Ok);
  EXPECT_EQ(bench.definition("a").schedule_revision(), bench.machine->applied_index());
  EXPECT_EQ(model::get_time(bench.state("a").next()), at(kStart + 500));
  const auto told = bench.changes_of<JobChanged>();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_TRUE(told[0].definition_changed);
  EXPECT_EQ(told[0].summary.next, at(kStart + 500));
}

TEST(ApplyJobs, each_member_that_decides_activations_makes_a_new_schedule_revision) {
  using Edit = void (*)(store::JobDefinition*);
  const std::vector<Edit> edits = {
      [](store::JobDefinition* d) { d->set_schedule("@every 9s"); },
      [](store::JobDefinition* d) { d->set_timezone("Europe/Berlin"); },
      [](store::JobDefinition* d) { d->set_dst_policy("skip"); },
      [](store::JobDefinition* d) { d->set_disabled(true); },
      [](store::JobDefinition* d) { model::set_time(d->mutable_starts_at(), at(kStart)); },
      [](store::JobDefinition* d) { d->set_parent_job("parent"); }};
  for (const Edit edit : edits) {
    Bench bench;
    bench.set_job(job_named("parent"));
    bench.set_job(job_named("a"));
    auto changed = job_named("a");
    edit(&changed);
    bench.set_job(changed);
    EXPECT_EQ(bench.definition("a").schedule_revision(), bench.machine->applied_index());
  }
}

TEST(ApplyJobs, refuses_another_revision_than_expected) {
  Bench bench;
  bench.set_job(job_named("a"));
  auto command = set_command(job_named("a"));
  command.set_expected_revision(77);
  EXPECT_EQ(refused(bench, Kind::SetJob, command).code, ErrorCode::Conflict);
  command.set_expected_revision(bench.definition("a").revision());
  EXPECT_EQ(bench.apply(Kind::SetJob, command).code, ErrorCode::Ok);
}

TEST(ApplyJobs, refuses_a_missing_parent_and_cycles_by_their_names) {
  Bench bench;
  const auto missing = refused(bench, Kind::SetJob, set_command(job_named("a", "nobody")));
  EXPECT_EQ(missing.code, ErrorCode::NotFound);
  EXPECT_EQ(missing.message, "specified parent job not found");
  bench.set_job(job_named("a"));
  bench.set_job(job_named("b", "a"));
  bench.set_job(job_named("c", "b"));
  const auto cycle = refused(bench, Kind::SetJob, set_command(job_named("a", "c")));
  EXPECT_EQ(cycle.code, ErrorCode::InvalidArgument);
  EXPECT_EQ(cycle.message, "parent job cycle: a -> c -> b -> a");
}

TEST(ApplyJobs, the_parents_know_their_children) {
  Bench bench;
  bench.set_job(job_named("p"));
  bench.set_job(job_named("q"));
  bench.set_job(job_named("c", "p"));
  bench.set_job(job_named("c", "p"));
  ASSERT_EQ(bench.state("p").dependent_jobs_size(), 1);
  EXPECT_EQ(bench.state("p").dependent_jobs(0), "c");
  store::DeleteJobCommand removal;
  removal.set_name("p");
  const auto outcome = refused(bench, Kind::DeleteJob, removal);
  EXPECT_EQ(outcome.code, ErrorCode::Conflict);
  EXPECT_EQ(outcome.message,
            "store: could not delete job with dependent jobs, delete children first");
  bench.set_job(job_named("c", "q"));
  EXPECT_EQ(bench.state("p").dependent_jobs_size(), 0);
  EXPECT_EQ(bench.state("q").dependent_jobs_size(), 1);
  removal.set_name("c");
  EXPECT_EQ(bench.apply(Kind::DeleteJob, removal).code, ErrorCode::Ok);
  EXPECT_EQ(bench.state("q").dependent_jobs_size(), 0);
}

TEST(ApplyJobs, a_deleted_job_leaves_no_rows_and_its_late_results_are_refused) {
  Bench bench;
  bench.apply(Kind::InitCluster, store::InitClusterCommand());
  bench.set_job(job_named("a"));
  bench.launch("a", 1);
  bench.finish("a", 1, true);
  bench.launch("a", 2);
  const auto late = bench.done_of("a", 2, true);
  store::DeleteJobCommand removal;
  removal.set_name("a");
  removal.set_expected_uid(99);
  EXPECT_EQ(refused(bench, Kind::DeleteJob, removal).code, ErrorCode::NotFound);
  removal.set_expected_uid(1);
  EXPECT_EQ(bench.apply(Kind::DeleteJob, removal).code, ErrorCode::Ok);
  ASSERT_EQ(bench.changes_of<JobDeleted>().size(), 1U);
  const auto rows = bench.dump();
  for (const auto& [key, value] : rows)
    EXPECT_TRUE(key == "m/cluster" || key.starts_with("d/")) << key;

  const auto outcome = refused(bench, Kind::Done, late);
  EXPECT_EQ(outcome.code, ErrorCode::NotFound);
  EXPECT_EQ(outcome.message, "grpc: Received execution done for a deleted job");
  EXPECT_EQ(refused(bench, Kind::DeleteJob, removal).code, ErrorCode::NotFound);
}

TEST(ApplyJobs, toggles_by_wish_and_an_equal_wish_changes_nothing) {
  Bench bench;
  bench.set_job(job_named("a"));
  store::ToggleJobCommand toggle;
  toggle.set_name("a");
  model::set_time(toggle.mutable_next_if_enabled(), at(kStart + 60));
  EXPECT_EQ(bench.apply(Kind::ToggleJob, toggle).code, ErrorCode::Ok);
  EXPECT_TRUE(bench.definition("a").disabled());
  EXPECT_FALSE(bench.state("a").has_next());
  toggle.set_wish(store::ToggleJobCommand::DISABLE);
  const auto before = bench.dump();
  EXPECT_EQ(bench.apply(Kind::ToggleJob, toggle).code, ErrorCode::Ok);
  EXPECT_EQ(bench.dump(), before);
  toggle.set_wish(store::ToggleJobCommand::ENABLE);
  // The activation belongs to the schedule that the proposer saw.
  EXPECT_EQ(refused(bench, Kind::ToggleJob, toggle).code, ErrorCode::Conflict);
  toggle.mutable_overdue()->set_schedule_revision(bench.definition("a").schedule_revision());
  EXPECT_EQ(bench.apply(Kind::ToggleJob, toggle).code, ErrorCode::Ok);
  EXPECT_EQ(model::get_time(bench.state("a").next()), at(kStart + 60));
  EXPECT_EQ(bench.definition("a").schedule_revision(), bench.machine->applied_index());
  toggle.set_name("b");
  EXPECT_EQ(refused(bench, Kind::ToggleJob, toggle).code, ErrorCode::NotFound);
}

TEST(ApplyJobs, a_pause_refuses_submissions_and_nothing_else) {
  Bench bench;
  bench.set_job(job_named("a"));
  store::SetPauseCommand pause;
  pause.set_paused(true);
  EXPECT_EQ(bench.apply(Kind::SetPause, pause).code, ErrorCode::Ok);
  ASSERT_EQ(bench.changes_of<PauseChanged>().size(), 1U);
  const auto outcome = refused(bench, Kind::SetJob, set_command(job_named("b")));
  EXPECT_EQ(outcome.code, ErrorCode::Unavailable);
  EXPECT_EQ(outcome.message, "New job submissions are currently paused");
  EXPECT_TRUE(bench.launch("a", 1).launched());
  store::ToggleJobCommand toggle;
  toggle.set_name("a");
  EXPECT_EQ(bench.apply(Kind::ToggleJob, toggle).code, ErrorCode::Ok);
  pause.set_paused(false);
  bench.apply(Kind::SetPause, pause);
  bench.set_job(job_named("b"));
}

TEST(ApplyJobs, deleting_executions_resets_the_counters_and_spares_open_runs) {
  Bench bench;
  const auto uid = bench.set_job(job_named("a"));
  bench.launch("a", 1);
  bench.finish("a", 1, true);
  bench.launch("a", 2);
  store::DeleteExecutionsCommand command;
  command.set_name("a");
  EXPECT_EQ(bench.apply(Kind::DeleteExecutions, command).code, ErrorCode::Ok);
  EXPECT_EQ(bench.count(keys::executions_of(uid)), 0U);
  EXPECT_EQ(bench.count(keys::outputs_of(uid)), 0U);
  EXPECT_EQ(bench.state("a").success_count(), 0);
  EXPECT_FALSE(bench.state("a").has_last_success());
  EXPECT_EQ(bench.state("a").status(), "success");
  EXPECT_EQ(bench.state("a").open_groups(), 1U);
  bench.finish("a", 2, true);
  EXPECT_EQ(bench.state("a").execution_count(), 1U);
  command.set_name("b");
  EXPECT_EQ(refused(bench, Kind::DeleteExecutions, command).code, ErrorCode::NotFound);
}

TEST(ApplyJobs, a_new_activation_is_taken_for_the_present_schedule_only) {
  Bench bench;
  const auto uid = bench.set_job(job_named("a"));
  store::SetNextCommand command;
  command.set_uid(uid);
  command.set_schedule_revision(bench.definition("a").schedule_revision());
  model::set_time(command.mutable_next(), at(kStart + 3));
  EXPECT_EQ(bench.apply(Kind::SetNext, command).code, ErrorCode::Ok);
  EXPECT_EQ(model::get_time(bench.state("a").next()), at(kStart + 3));
  command.set_schedule_revision(1000);
  EXPECT_EQ(refused(bench, Kind::SetNext, command).code, ErrorCode::Conflict);
  command.set_uid(1000);
  EXPECT_EQ(refused(bench, Kind::SetNext, command).code, ErrorCode::NotFound);
}

TEST(ApplyJobs, a_restored_job_never_lowers_counters_and_counts_on_without_overflow) {
  Bench bench;
  bench.set_job(job_named("a"));
  bench.launch("a", 1);
  bench.finish("a", 1, true);
  auto command = set_command(job_named("a"));
  command.set_is_restore(true);
  command.mutable_restored()->set_success_count(-5);
  command.mutable_restored()->set_error_count(INT32_MAX);
  command.mutable_restored()->set_status("failed");
  model::set_time(command.mutable_restored()->mutable_last_success(), at(kStart - 100));
  model::set_time(command.mutable_restored()->mutable_last_error(), at(kStart - 100));
  EXPECT_EQ(bench.apply(Kind::SetJob, command).code, ErrorCode::Ok);
  EXPECT_EQ(bench.state("a").success_count(), 1);
  EXPECT_EQ(bench.state("a").error_count(), INT32_MAX);
  EXPECT_EQ(bench.state("a").status(), "success");
  EXPECT_EQ(model::get_time(bench.state("a").last_success()), at(kStart + 2));
  EXPECT_EQ(model::get_time(bench.state("a").last_error()), at(kStart - 100));
  bench.launch("a", 2);
  bench.finish("a", 2, false);
  EXPECT_EQ(bench.state("a").error_count(), INT32_MAX);
}

TEST(ApplyJobs, the_cluster_is_founded_once) {
  Bench bench;
  store::InitClusterCommand command;
  command.set_cluster_id(7);
  bench.apply(Kind::InitCluster, command);
  command.set_cluster_id(8);
  EXPECT_EQ(bench.apply(Kind::InitCluster, command).code, ErrorCode::Ok);
  EXPECT_EQ(bench.row<store::ClusterState>("m/cluster")->cluster_id(), 7U);
}

}  // namespace
}  // namespace dkron::state
