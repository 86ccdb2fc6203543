#include "state/test_support.h"
#include "state/views.h"

namespace dkron::state {
namespace {

namespace keys = store::keys;
using store::LedgerRow;
using testing_support::at;
using testing_support::Bench;
using testing_support::job_named;
using testing_support::kStart;

store::MissCommand miss_of(const Bench& bench, std::int64_t first, std::int64_t last,
                           std::uint32_t count,
                           LedgerRow::Reason reason = LedgerRow::OUTSIDE_WINDOW) {
  store::MissCommand command;
  command.set_uid(bench.definition("a").uid());
  command.set_schedule_revision(bench.definition("a").schedule_revision());
  model::set_time(command.mutable_first(), at(kStart + first));
  model::set_time(command.mutable_last(), at(kStart + last));
  model::set_time(command.mutable_now(), at(kStart + last));
  command.set_count(count);
  command.set_reason(reason);
  return command;
}

void miss(Bench& bench, std::int64_t first, std::int64_t last, std::uint32_t count,
          LedgerRow::Reason reason = LedgerRow::OUTSIDE_WINDOW) {
  bench.aim_at("a", first);
  EXPECT_EQ(bench.apply(Kind::Miss, miss_of(bench, first, last, count, reason)).code,
            ErrorCode::Ok);
}

LedgerRow outcome_of(const Bench& bench, std::int64_t second) {
  auto row = find_outcome(bench.store.reader(), 1, at(kStart + second));
  EXPECT_TRUE(row);
  return row && *row ? **row : LedgerRow();
}

TEST(ApplyLedger, misses_of_one_reason_grow_one_row) {
  Bench bench;
  bench.set_job(job_named("a"));
  miss(bench, 10, 19, 10);
  miss(bench, 20, 20, 1);
  miss(bench, 21, 25, 5);
  auto rows = bench.ledger("a");
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].count(), 16U);
  EXPECT_EQ(model::get_time(rows[0].first()), at(kStart + 10));
  EXPECT_EQ(model::get_time(rows[0].last()), at(kStart + 25));
  EXPECT_EQ(bench.state("a").ledger_rows(), 1U);

  miss(bench, 26, 30, 5, LedgerRow::OVERLOAD);
  EXPECT_EQ(bench.ledger("a").size(), 2U);
  bench.launch("a", 31);
  miss(bench, 32, 33, 2, LedgerRow::OVERLOAD);
  rows = bench.ledger("a");
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_EQ(rows[0].outcome(), LedgerRow::MISSED);
  EXPECT_EQ(rows[0].count(), 2U);
  EXPECT_EQ(rows[1].outcome(), LedgerRow::LAUNCHED);
  EXPECT_EQ(bench.state("a").ledger_rows(), 4U);
}

TEST(ApplyLedger, launches_are_never_folded) {
  Bench bench;
  bench.set_job(job_named("a"));
  for (int i = 1; i <= 5; ++i) bench.launch("a", i);
  EXPECT_EQ(bench.ledger("a").size(), 5U);
}

TEST(ApplyLedger, skips_are_folded_per_blocking_run) {
  Bench bench;
  auto job = job_named("a");
  job.set_concurrency("forbid");
  bench.set_job(job);
  bench.launch("a", 1);
  for (int i = 2; i <= 6; ++i) bench.launch("a", i);
  const auto rows = bench.ledger("a");
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].count(), 5U);
  EXPECT_EQ(rows[0].blocked_by(), 1);
}

TEST(ApplyLedger, counting_stops_at_the_limit_and_says_so) {
  Bench bench;
  bench.set_job(job_named("a"));
  miss(bench, 1, 9'000, 9'000);
  EXPECT_FALSE(bench.ledger("a")[0].count_is_minimum());
  miss(bench, 9'001, 10'000, 1'000);
  EXPECT_EQ(bench.ledger("a")[0].count(), 10'000U);
  EXPECT_FALSE(bench.ledger("a")[0].count_is_minimum());
  miss(bench, 10'001, 10'001, 1);
  EXPECT_EQ(bench.ledger("a")[0].count(), 10'000U);
  EXPECT_TRUE(bench.ledger("a")[0].count_is_minimum());
}

TEST(ApplyLedger, a_range_that_runs_backwards_is_refused) {
  Bench bench;
  bench.set_job(job_named("a"));
  bench.launch("a", 5);
  bench.aim_at("a", 10);
  const auto before = bench.dump();
  EXPECT_EQ(bench.apply(Kind::Miss, miss_of(bench, 10, 4, 7)).code, ErrorCode::InvalidArgument);
  EXPECT_EQ(bench.apply(Kind::Miss, miss_of(bench, 10, 12, 0)).code, ErrorCode::InvalidArgument);
  EXPECT_EQ(bench.dump(), before);
}

TEST(ApplyLedger, each_instant_is_covered_by_one_row) {
  Bench bench;
  bench.set_job(job_named("a"));
  miss(bench, 10, 19, 10);
  bench.launch("a", 20);
  miss(bench, 21, 29, 9);
  EXPECT_FALSE(outcome_of(bench, 9).has_first());
  EXPECT_EQ(outcome_of(bench, 10).count(), 10U);
  EXPECT_EQ(outcome_of(bench, 15).count(), 10U);
  EXPECT_EQ(outcome_of(bench, 19).count(), 10U);
  EXPECT_EQ(outcome_of(bench, 20).outcome(), LedgerRow::LAUNCHED);
  EXPECT_EQ(outcome_of(bench, 21).count(), 9U);
  EXPECT_FALSE(outcome_of(bench, 30).has_first());
}

TEST(ApplyLedger, rows_over_the_limit_are_trimmed_in_steps) {
  Bench bench;
  bench.set_job(job_named("a"));
  std::vector<raft::Command> commands;
  for (int i = 1; i <= 1'400; ++i) {
    bench.launch("a", i);
    bench.finish("a", i, true);
    const auto rows = bench.count(keys::ledger_of(1));
    ASSERT_EQ(rows, bench.state("a").ledger_rows());
    ASSERT_LE(rows, 1'250U);
    ASSERT_GE(rows, static_cast<std::size_t>(std::min(i, 1'000)));
  }
  EXPECT_EQ(model::get_time(bench.ledger("a")[0].last()), at(kStart + 1'400));
}

TEST(ApplyLedger, rows_older_than_30_days_are_trimmed_as_rows_pass) {
  Bench bench;
  bench.set_job(job_named("a"));
  const std::int64_t day = 24 * 3600;
  for (int i = 1; i <= 60; ++i) bench.launch("a", i);
  for (int i = 0; i < 64; ++i) bench.launch("a", 40 * day + i);
  for (const LedgerRow& row : bench.ledger("a"))
    EXPECT_GE(model::get_time(row.last()), at(kStart + 40 * day));
  EXPECT_EQ(bench.count(keys::ledger_of(1)), bench.state("a").ledger_rows());
  // Though its row is gone, the instant is not launched again.
  EXPECT_EQ(bench.apply(Kind::Launch, bench.launch_of("a", 3)).code, ErrorCode::Conflict);
}

TEST(ApplyLedger, rows_older_than_30_days_go_on_demand_though_no_row_is_added) {
  Bench bench;
  const auto uid = bench.set_job(job_named("a"));
  const std::int64_t day = 24 * 3600;
  for (int i = 1; i <= 5; ++i) bench.launch("a", i * day);
  store::TrimLedgerCommand trim;
  trim.set_uid(uid);
  model::set_time(trim.mutable_now(), at(kStart + 31 * day));
  EXPECT_FALSE(*has_outcomes_before(bench.store.reader(), uid, at(kStart + day)));
  EXPECT_TRUE(*has_outcomes_before(bench.store.reader(), uid, at(kStart + day + 1)));
  const auto before = bench.dump();
  EXPECT_EQ(bench.apply(Kind::TrimLedger, trim).code, ErrorCode::Ok);
  EXPECT_EQ(bench.dump(), before);  // The oldest is 30 days old, not more.

  model::set_time(trim.mutable_now(), at(kStart + 33 * day));
  EXPECT_EQ(bench.apply(Kind::TrimLedger, trim).code, ErrorCode::Ok);
  const auto rows = bench.ledger("a");
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(model::get_time(rows.back().last()), at(kStart + 3 * day));
  EXPECT_EQ(bench.state("a").ledger_rows(), 3U);
  EXPECT_EQ(bench.changes_of<JobChanged>().size(), 1U);

  model::set_time(trim.mutable_now(), at(kStart + 99 * day));
  EXPECT_EQ(bench.apply(Kind::TrimLedger, trim).code, ErrorCode::Ok);
  EXPECT_EQ(bench.state("a").ledger_rows(), 0U);
  EXPECT_FALSE(*has_outcomes_before(bench.store.reader(), uid, at(kStart + 99 * day)));
  // Though its row is gone, the instant is not launched again.
  EXPECT_EQ(bench.apply(Kind::Launch, bench.launch_of("a", 3 * day)).code, ErrorCode::Conflict);
  trim.set_uid(uid + 1);
  EXPECT_EQ(bench.apply(Kind::TrimLedger, trim).code, ErrorCode::NotFound);
}

}  // namespace
}  // namespace dkron::state
