#include "telemetry/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace dkron::telemetry {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Metrics, shows_a_counter_with_zero_from_its_declaration_on) {
  Metrics metrics;
  const Counter counter = metrics.counter("dkron_things", "Things.");
  EXPECT_THAT(metrics.text(), HasSubstr("# TYPE dkron_things counter\ndkron_things 0\n"));
  counter.add();
  counter.add(2);
  EXPECT_THAT(metrics.text(), HasSubstr("dkron_things 3\n"));
}

TEST(Metrics, gives_the_same_instrument_for_the_same_name_and_labels) {
  Metrics metrics;
  metrics.counter("dkron_skips", "Skips.", {{"reason", "overload"}}).add();
  metrics.counter("dkron_skips", "Skips.", {{"reason", "overload"}}).add();
  EXPECT_THAT(metrics.text(), HasSubstr("dkron_skips{reason=\"overload\"} 2\n"));
}

TEST(Metrics, drops_the_series_of_a_removed_label) {
  Metrics metrics;
  const auto family = metrics.counters("dkron_runs", "Runs.", "job_name");
  family->with("a").add();
  family->with("b").add();
  family->remove("a");
  family->remove("never");
  EXPECT_THAT(metrics.text(), Not(HasSubstr("job_name=\"a\"")));
  EXPECT_THAT(metrics.text(), Not(HasSubstr("never")));
  EXPECT_THAT(metrics.text(), HasSubstr("dkron_runs{job_name=\"b\"} 1\n"));
}

TEST(Metrics, refreshes_gauges_before_each_text) {
  Metrics metrics;
  const Gauge gauge = metrics.gauge("dkron_now", "Now.");
  int calls = 0;
  metrics.on_collect([&] { gauge.set(++calls); });
  EXPECT_THAT(metrics.text(), HasSubstr("dkron_now 1\n"));
  EXPECT_THAT(metrics.text(), HasSubstr("dkron_now 2\n"));
}

TEST(Metrics, counts_into_buckets) {
  Metrics metrics;
  const Histogram lag = metrics.histogram("dkron_lag_seconds", "Lag.", {0.1, 1});
  lag.observe(0.05);
  lag.observe(5);
  const std::string text = metrics.text();
  EXPECT_THAT(text, HasSubstr("dkron_lag_seconds_bucket{le=\"0.1\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("dkron_lag_seconds_bucket{le=\"+Inf\"} 2\n"));
}

TEST(Metrics, describes_the_process) {
  Metrics metrics;
  add_process_metrics(metrics);
  const std::string text = metrics.text();
  EXPECT_THAT(text, HasSubstr("process_resident_memory_bytes "));
  EXPECT_THAT(text, Not(HasSubstr("process_open_fds 0\n")));
}

}  // namespace
}  // namespace dkron::telemetry
