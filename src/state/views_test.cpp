#include "state/views.h"

#include "state/test_support.h"

namespace dkron::state {
namespace {

namespace keys = store::keys;
using testing_support::at;
using testing_support::Bench;
using testing_support::job_named;
using testing_support::kStart;

TEST(Views, a_job_is_found_by_name_and_uid_with_its_state) {
  Bench bench;
  const auto uid = bench.set_job(job_named("a"));
  bench.launch("a", 10);
  for (const auto& job :
       {find_job(bench.store.reader(), "a"), find_job(bench.store.reader(), uid)}) {
    ASSERT_TRUE(job && *job);
    EXPECT_EQ((*job)->uid, uid);
    EXPECT_EQ((*job)->schedule, "@every 1s");
    EXPECT_EQ((*job)->next, at(kStart + 11));
    EXPECT_EQ((*job)->open_groups, 1U);
  }
  EXPECT_FALSE(*find_job(bench.store.reader(), "b"));
  EXPECT_FALSE(*find_job(bench.store.reader(), 99));
}

TEST(Views, visits_jobs_in_the_order_of_names_until_told_to_stop) {
  Bench bench;
  for (const char* name : {"c", "a", "b"}) bench.set_job(job_named(name));
  std::string names;
  ASSERT_TRUE(visit_jobs(bench.store.reader(), [&](const model::Job& job) {
    names += job.name;
    return names.size() < 2;
  }));
  EXPECT_EQ(names, "ab");
}

TEST(Views, lists_the_newest_executions_and_those_under_way) {
  Bench bench;
  const auto uid = bench.set_job(job_named("a"));
  for (int group = 1; group <= 5; ++group) {
    bench.launch("a", group);
    bench.finish("a", group, true);
  }
  bench.launch("a", 6);
  const model::Job job = **find_job(bench.store.reader(), "a");
  auto listed = list_executions(bench.store.reader(), job, 2);
  ASSERT_TRUE(listed);
  ASSERT_EQ(listed->size(), 2U);  // The start of the open one is not known.
  EXPECT_EQ(listed->at(0).group, 4);
  EXPECT_EQ(listed->at(1).output, "");

  store::StartedCommand started;
  started.set_uid(uid);
  started.set_group(6);
  started.set_node("n1");
  started.set_attempt(1);
  model::set_time(started.mutable_started_at(), at(kStart + 6));
  bench.apply(Kind::Started, started);
  listed = list_executions(bench.store.reader(), job, 2);
  ASSERT_EQ(listed->size(), 3U);
  EXPECT_EQ(listed->at(0).output, "");
  ASSERT_TRUE(read_outputs(bench.store.reader(), uid, &*listed));
  EXPECT_EQ(listed->at(0).output, "output");
  EXPECT_EQ(listed->at(2).group, 6);
  EXPECT_TRUE(listed->at(2).finished_at.is_zero());
  EXPECT_EQ(listed->at(2).scheduled_at, at(kStart + 6));
  const auto running = list_running(bench.store.reader());
  ASSERT_TRUE(running);
  ASSERT_EQ(running->size(), 1U);
  EXPECT_EQ(running->at(0).job_name, "a");

  const auto id = listed->at(1).id();
  const auto one = find_execution(bench.store.reader(), job, id);
  ASSERT_TRUE(one && *one);
  EXPECT_EQ((*one)->output, "output");
  EXPECT_FALSE(*find_execution(bench.store.reader(), job, "1-n1"));
}

TEST(Views, pages_the_ledger_from_new_to_old) {
  Bench bench;
  const auto uid = bench.set_job(job_named("a"));
  for (int i = 1; i <= 5; ++i) bench.launch("a", i);
  const auto page = list_ledger(bench.store.reader(), uid, 1, 2);
  ASSERT_TRUE(page);
  EXPECT_EQ(page->total, 5U);
  ASSERT_EQ(page->rows.size(), 2U);
  EXPECT_EQ(page->rows[0].group(), 4);
  EXPECT_TRUE(list_ledger(bench.store.reader(), uid, 9, UINT64_MAX)->rows.empty());
}

TEST(Views, statistics_have_a_row_for_each_day) {
  Bench bench;
  bench.set_job(job_named("a"));
  bench.launch("a", 10);
  bench.finish("a", 10, false);
  const Instant today = at(kStart) + hours(24);
  const auto days = list_statistics(bench.store.reader(), today, 3);
  ASSERT_TRUE(days);
  ASSERT_EQ(days->size(), 3U);
  EXPECT_EQ(days->at(1).failed_count, 1U);
  EXPECT_EQ(days->at(2).failed_count, 0U);
  EXPECT_EQ(days->at(2).date, format_rfc3339(today).substr(0, 10));
}

TEST(Views, open_work_is_what_a_new_leader_takes_up) {
  Bench bench;
  bench.set_job(job_named("p"));
  bench.set_job(job_named("c", "p"));
  bench.launch("p", 1);
  bench.launch("p", 2);
  bench.finish("p", 1, true);
  const auto work = list_open_work(bench.store.reader());
  ASSERT_TRUE(work);
  ASSERT_EQ(work->groups.size(), 1U);
  EXPECT_EQ(work->groups[0].group(), 2);
  ASSERT_EQ(work->follow_ups.size(), 1U);
  EXPECT_EQ(work->follow_ups[0].children(0), "c");
}

TEST(Views, a_damaged_row_is_an_error) {
  Bench bench;
  const auto uid = bench.set_job(job_named("a"));
  bench.launch("a", 1);
  const model::Job job = **find_job(bench.store.reader(), "a");
  for (const std::string& key :
       {keys::ledger(uid, at(kStart + 1)), keys::group(uid, 1), keys::execution(uid, 1, "n1", 1),
        keys::state(uid), keys::definition("a"), keys::statistics("2026-06-01"),
        std::string(keys::kCluster)}) {
    bench.store.batch().put(key, "\xff\xff");
  }
  ASSERT_TRUE(bench.store.commit());
  const store::Reader& reader = bench.store.reader();
  EXPECT_FALSE(list_ledger(reader, uid, 0, 10));
  EXPECT_FALSE(find_outcome(reader, uid, at(kStart + 1)));
  EXPECT_FALSE(list_executions(reader, job, 10));
  EXPECT_FALSE(list_running(reader));
  EXPECT_FALSE(list_open_work(reader));
  EXPECT_FALSE(find_job(reader, "a"));
  EXPECT_FALSE(visit_jobs(reader, [](const model::Job&) { return true; }));
  EXPECT_FALSE(list_statistics(reader, at(kStart), 3));
  EXPECT_FALSE(read_cluster(reader));
}

}  // namespace
}  // namespace dkron::state
