#include "base/time_zone.h"

#include <gtest/gtest.h>

namespace dkron {
namespace {

TEST(TimeZone, refuses_what_go_refuses) {
  EXPECT_EQ(TimeZone::load("Foo/Bar").error().message, "unknown time zone Foo/Bar");
  EXPECT_EQ(TimeZone::load("../etc").error().message, "time: invalid location name");
  EXPECT_EQ(TimeZone::load("file:/etc/localtime").error().message,
            "unknown time zone file:/etc/localtime");
  EXPECT_TRUE(TimeZone::load(""));
}

TEST(TimeZone, reports_skipped_and_repeated_times_with_both_instants) {
  const TimeZone berlin = *TimeZone::load("Europe/Berlin");
  const auto gap = berlin.from_civil(Civil{2026, 3, 29, 2, 30, 0});
  EXPECT_EQ(gap.kind, TimeZone::Kind::Skipped);
  EXPECT_EQ(format_rfc3339(gap.transition), "2026-03-29T01:00:00Z");
  const auto twice = berlin.from_civil(Civil{2026, 10, 25, 2, 30, 0});
  EXPECT_EQ(twice.kind, TimeZone::Kind::Repeated);
  EXPECT_EQ(format_rfc3339(twice.before), "2026-10-25T00:30:00Z");
  EXPECT_EQ(format_rfc3339(twice.after), "2026-10-25T01:30:00Z");
}

TEST(TimeZone, finds_the_next_change) {
  Instant at;
  ASSERT_TRUE(TimeZone::load("Europe/Berlin")->next_transition(*parse_rfc3339("2026-01-01T00:00:00Z"), &at));
  EXPECT_EQ(format_rfc3339(at), "2026-03-29T01:00:00Z");
  EXPECT_FALSE(TimeZone::utc().next_transition(Instant::from_unix(0), &at));
}

TEST(TimeZone, keeps_the_rule_beyond_2037) {
  const auto local = TimeZone::load("Europe/Berlin")->to_civil(*parse_rfc3339("2090-07-01T00:00:00Z"));
  EXPECT_EQ(local.utc_offset_seconds, 7200);
}

TEST(Civil, normalizes_and_knows_weekdays) {
  EXPECT_EQ(normalize(Civil{2025, 13, 1, 0, 0, 0}), (Civil{2026, 1, 1, 0, 0, 0}));
  EXPECT_EQ(weekday(Civil{2026, 11, 22, 0, 0, 0}), 0);
  EXPECT_EQ(days_in_month(2000, 2), 29);
  EXPECT_EQ(days_in_month(2100, 2), 28);
}

}  // namespace
}  // namespace dkron
