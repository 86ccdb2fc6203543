#include "base/time_zone.h"

#include <gtest/gtest.h>

namespace dkron {
namespace {

TEST(TimeZone, refuses_what_go_refuses) {
  EXPECT_EQ(TimeZone::load("Foo/Bar").error().message, "unknown time zone Foo/Bar");
  EXPECT_EQ(TimeZone::load("../etc").error().message, "time: invalid location name");
  EXPECT_EQ(TimeZone::load("file:/etc/localtime").error().message,
            "unknown time zone file:/etc/localtime");
  EXPECT_FALSE(TimeZone::load("UTC0"));
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
  ASSERT_TRUE(TimeZone::load("Europe/Berlin")
                  ->next_transition(*parse_rfc3339("2026-01-01T00:00:00Z"), &at));
  EXPECT_EQ(format_rfc3339(at), "2026-03-29T01:00:00Z");
  EXPECT_FALSE(TimeZone::utc().next_transition(Instant::from_unix(0), &at));
}

TEST(TimeZone, finds_the_instant_of_a_change_back) {
  Instant at;
  const TimeZone berlin = *TimeZone::load("Europe/Berlin");
  ASSERT_TRUE(berlin.next_transition(*parse_rfc3339("2026-07-01T00:00:00Z"), &at));
  EXPECT_EQ(format_rfc3339(at), "2026-10-25T01:00:00Z");
}

TEST(TimeZone, finds_changes_for_ever) {
  const TimeZone new_york = *TimeZone::load("America/New_York");
  for (const int year : {2036, 2038, 2399, 2407, 2437, 2438, 2770, 5000, 9998}) {
    const std::string text = std::to_string(year);
    Instant at;
    ASSERT_TRUE(new_york.next_transition(*parse_rfc3339(text + "-05-01T00:00:00Z"), &at)) << text;
    EXPECT_EQ(format_rfc3339(at).substr(0, 8), text + "-11-");
    EXPECT_EQ(new_york.to_civil(at).civil.hour, 1);
    EXPECT_EQ(new_york.to_civil(at - seconds(1)).civil.hour, 1);
  }
  Instant at;
  const Instant late = *parse_rfc3339("3000-05-01T00:00:00Z");
  EXPECT_FALSE(TimeZone::load("Asia/Tokyo")->next_transition(late, &at));
}

TEST(TimeZone, keeps_the_rule_beyond_2037) {
  const auto local =
      TimeZone::load("Europe/Berlin")->to_civil(*parse_rfc3339("2090-07-01T00:00:00Z"));
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
