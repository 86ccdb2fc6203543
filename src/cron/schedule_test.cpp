#include "cron/schedule.h"

#include <gtest/gtest.h>

namespace dkron::cron {
namespace {

Schedule make(std::string_view expression, const std::string& zone = "",
              DstPolicy policy = DstPolicy::Reference) {
  const auto schedule = Schedule::parse(expression, "", Options{*TimeZone::load(zone), policy});
  EXPECT_TRUE(schedule) << expression;
  return *schedule;
}

// The next `count` activations in one line, each with the zone's offset.
std::string next(const Schedule& schedule, const std::string& zone, std::string_view from,
                 int count) {
  const TimeZone shown = *TimeZone::load(zone);
  std::string line;
  Instant at = *parse_rfc3339(from);
  for (int i = 0; i < count; ++i) {
    at = schedule.next_after(at);
    if (!line.empty()) line += ' ';
    if (at.is_zero()) return line + "never";
    line += format_rfc3339(at, shown.to_civil(at).utc_offset_seconds);
  }
  return line;
}

std::string error_of(std::string_view expression) {
  const auto schedule = Schedule::parse(expression, "", {});
  return schedule ? "accepted" : schedule.error().message;
}

struct ClockChange {
  const char* zone;
  const char* expression;
  const char* from;
  int count;
  const char* activations;
};

void check(const ClockChange& c, DstPolicy policy) {
  EXPECT_EQ(next(make(c.expression, c.zone, policy), c.zone, c.from, c.count), c.activations)
      << c.zone << " " << c.expression << " from " << c.from << " " << to_string(policy);
}

constexpr const char* kNewYork = "America/New_York";

TEST(Schedule, fires_at_exactly_the_matching_local_times) {
  const ClockChange table[] = {
      {kNewYork, "0 30 2 * * *", "2026-03-07T00:00:00-05:00", 2,
       "2026-03-07T02:30:00-05:00 2026-03-09T02:30:00-04:00"},
      {kNewYork, "0 0 3 * * *", "2026-03-07T00:00:00-05:00", 2,
       "2026-03-07T03:00:00-05:00 2026-03-08T03:00:00-04:00"},
      {kNewYork, "0 */30 * * * *", "2026-03-08T01:15:00-05:00", 3,
       "2026-03-08T01:30:00-05:00 2026-03-08T03:00:00-04:00 2026-03-08T03:30:00-04:00"},
      {kNewYork, "0 30 2 8 3 *", "2026-01-01T00:00:00-05:00", 1, "2027-03-08T02:30:00-05:00"},
      {kNewYork, "0 30 1 * * *", "2026-11-01T00:00:00-04:00", 3,
       "2026-11-01T01:30:00-04:00 2026-11-01T01:30:00-05:00 2026-11-02T01:30:00-05:00"},
      {kNewYork, "0 15,45 1 * * *", "2026-11-01T00:00:00-04:00", 4,
       "2026-11-01T01:15:00-04:00 2026-11-01T01:45:00-04:00 2026-11-01T01:15:00-05:00 "
       "2026-11-01T01:45:00-05:00"},
      {"America/Sao_Paulo", "0 0 0 * * *", "2018-11-02T12:00:00-03:00", 2,
       "2018-11-03T00:00:00-03:00 2018-11-05T00:00:00-02:00"},
      {"America/Sao_Paulo", "0 30 23 * * *", "2018-02-17T12:00:00-02:00", 2,
       "2018-02-17T23:30:00-02:00 2018-02-17T23:30:00-03:00"},
      {"Africa/Cairo", "0 0 12 24 4 *", "2026-01-01T12:00:00Z", 1, "2026-04-24T12:00:00+03:00"},
      {"Asia/Beirut", "0 0 6 29 3 *", "2026-01-01T12:00:00Z", 1, "2026-03-29T06:00:00+03:00"},
      {"Australia/Lord_Howe", "0 0 5 * * *", "2026-10-03T12:00:00+10:30", 1,
       "2026-10-04T05:00:00+11:00"},
      {"Australia/Lord_Howe", "0 45 1 * * *", "2026-04-05T00:00:00+11:00", 2,
       "2026-04-05T01:45:00+11:00 2026-04-05T01:45:00+10:30"},
      // A civil day that does not exist.
      {"Pacific/Apia", "0 0 12 30 12 *", "2011-12-01T00:00:00Z", 1, "2012-12-30T12:00:00+14:00"},
      {"Pacific/Apia", "* * * * * *", "2011-12-29T23:59:58-10:00", 2,
       "2011-12-29T23:59:59-10:00 2011-12-31T00:00:00+14:00"},
      // Rules hold beyond the years that zone files list.
      {kNewYork, "0 30 1 * * *", "2999-11-03T00:00:00-04:00", 3,
       "2999-11-03T01:30:00-04:00 2999-11-03T01:30:00-05:00 2999-11-04T01:30:00-05:00"},
  };
  for (const auto& row : table) check(row, DstPolicy::Reference);
}

TEST(Schedule, runs_once_after_a_gap_when_asked_to) {
  const ClockChange table[] = {
      {kNewYork, "0 30 2 * * *", "2026-03-07T12:00:00-05:00", 2,
       "2026-03-08T03:00:00-04:00 2026-03-09T02:30:00-04:00"},
      {kNewYork, "0 */10 2 * * *", "2026-03-08T00:00:00-05:00", 2,
       "2026-03-08T03:00:00-04:00 2026-03-09T02:00:00-04:00"},
      // The first instant after the gap matches anyway: one run, not two.
      {kNewYork, "0 0 2,3 * * *", "2026-03-08T00:00:00-05:00", 2,
       "2026-03-08T03:00:00-04:00 2026-03-09T02:00:00-04:00"},
      {kNewYork, "0 30 2 * * *", "2026-03-08T03:00:00-04:00", 1, "2026-03-09T02:30:00-04:00"},
      {kNewYork, "0 30 2 * * *", "2026-03-08T01:59:59.9-05:00", 1, "2026-03-08T03:00:00-04:00"},
      {kNewYork, "0 30 1 * * *", "2026-11-01T00:00:00-04:00", 2,
       "2026-11-01T01:30:00-04:00 2026-11-02T01:30:00-05:00"},
      // A whole day in the gap.
      {"Pacific/Apia", "0 0 12 30 12 *", "2011-12-01T00:00:00Z", 1, "2011-12-31T00:00:00+14:00"},
      {"Pacific/Apia", "0 0 12 * * *", "2011-12-29T13:00:00-10:00", 2,
       "2011-12-31T00:00:00+14:00 2011-12-31T12:00:00+14:00"},
      {"Australia/Lord_Howe", "0 15 2 * * *", "2026-10-03T12:00:00+10:30", 2,
       "2026-10-04T02:30:00+11:00 2026-10-05T02:15:00+11:00"},
      // Jobs with a star hour go by matching instants.
      {kNewYork, "0 30 * * * *", "2026-03-08T01:00:00-05:00", 2,
       "2026-03-08T01:30:00-05:00 2026-03-08T03:30:00-04:00"},
      {kNewYork, "@hourly", "2026-11-01T00:30:00-04:00", 3,
       "2026-11-01T01:00:00-04:00 2026-11-01T01:00:00-05:00 2026-11-01T02:00:00-05:00"},
      {kNewYork, "0 30 */1 * * *", "2026-11-01T00:50:00-04:00", 2,
       "2026-11-01T01:30:00-04:00 2026-11-01T01:30:00-05:00"},
      // `*/2` is no star: a fixed time.
      {kNewYork, "0 30 */2 * * *", "2026-03-08T01:00:00-05:00", 1, "2026-03-08T03:00:00-04:00"},
      {"America/Sao_Paulo", "@daily", "2018-11-03T12:00:00-03:00", 1, "2018-11-04T01:00:00-02:00"},
  };
  for (const auto& row : table) check(row, DstPolicy::RunOnceAfterGap);
}

TEST(Schedule, skips_gaps_and_second_showings_when_asked_to) {
  const ClockChange table[] = {
      {kNewYork, "0 30 2 * * *", "2026-03-07T12:00:00-05:00", 1, "2026-03-09T02:30:00-04:00"},
      {kNewYork, "0 15,45 1 * * *", "2026-11-01T01:30:00-04:00", 2,
       "2026-11-01T01:45:00-04:00 2026-11-02T01:15:00-05:00"},
      // Asked from within the second showing.
      {kNewYork, "0 45 1 * * *", "2026-11-01T01:00:00-05:00", 1, "2026-11-02T01:45:00-05:00"},
      {kNewYork, "0 45 1 * * *", "2026-11-01T01:59:59-04:00", 1, "2026-11-02T01:45:00-05:00"},
      {kNewYork, "0 0 2 * * *", "2026-11-01T01:10:00-05:00", 1, "2026-11-01T02:00:00-05:00"},
      {kNewYork, "@hourly", "2026-11-01T00:30:00-04:00", 2,
       "2026-11-01T01:00:00-04:00 2026-11-01T01:00:00-05:00"},
  };
  for (const auto& row : table) check(row, DstPolicy::Skip);
}

TEST(Schedule, reads_the_policy_names) {
  for (const auto policy : {DstPolicy::Reference, DstPolicy::RunOnceAfterGap, DstPolicy::Skip}) {
    EXPECT_EQ(*parse_dst_policy(to_string(policy)), policy);
  }
  EXPECT_EQ(*parse_dst_policy(""), DstPolicy::Reference);
  EXPECT_FALSE(parse_dst_policy("Skip"));
}

TEST(Schedule, an_explicit_zone_wins_over_the_option) {
  EXPECT_EQ(next(make("0 0 8 * * *", "Asia/Tokyo"), "Asia/Tokyo", "2026-01-15T00:00:00Z", 1),
            "2026-01-16T08:00:00+09:00");
  EXPECT_EQ(next(make("TZ=Europe/Berlin 0 0 8 * * *", "Asia/Tokyo"), "Europe/Berlin",
                 "2026-01-15T00:00:00Z", 1),
            "2026-01-15T08:00:00+01:00");
  EXPECT_EQ(next(make("@daily", "Asia/Tokyo"), "Asia/Tokyo", "2026-01-15T00:00:00Z", 1),
            "2026-01-16T00:00:00+09:00");
  EXPECT_EQ(next(make("CRON_TZ=UTC @daily ", "Asia/Tokyo"), "", "2026-01-15T00:00:00Z", 1),
            "2026-01-16T00:00:00Z");
}

TEST(Schedule, knows_what_never_fires) {
  EXPECT_TRUE(make("0 0 0 30 2 *").never_fires());
  EXPECT_TRUE(make("0 0 0 31 2,4,6,9,11 ?").never_fires());
  EXPECT_FALSE(make("0 0 0 30 2 1").never_fires());
  EXPECT_FALSE(make("0 0 0 29 2 *").never_fires());
  EXPECT_FALSE(make("@manually").never_fires());
  EXPECT_EQ(next(make("0 0 0 30 2 *"), "", "2026-01-01T00:00:00Z", 1), "never");
  EXPECT_EQ(next(make("0 0 0 29 2 *"), "", "2096-03-01T00:00:00Z", 1), "2104-02-29T00:00:00Z");
}

TEST(Schedule, every_at_and_after_show_their_parts) {
  const Schedule every = make("@every 1500ms");
  EXPECT_EQ(every.kind(), Schedule::Kind::Every);
  EXPECT_EQ(every.interval(), seconds(1));
  const Schedule at = make("@at 2026-02-01T00:00:00Z");
  EXPECT_EQ(at.kind(), Schedule::Kind::At);
  EXPECT_EQ(format_rfc3339(at.instant()), "2026-02-01T00:00:00Z");
  const Schedule after = make("@after 2020-01-01T00:00:00Z <P1DT2H30M");
  EXPECT_EQ(after.kind(), Schedule::Kind::After);
  EXPECT_EQ(after.grace(), hours(26) + minutes(30));
  EXPECT_EQ(next(after, "", "2019-12-31T23:00:00Z", 2),
            "2020-01-01T00:00:00Z 2020-01-01T00:00:00.000000001Z");
  EXPECT_EQ(next(after, "", "2020-01-02T02:30:00.000000001Z", 1), "never");
  EXPECT_EQ(make("@after 2020-01-01T00:00:00Z <P1Y2M3DT4H5M6S").grace(),
            hours(428 * 24 + 4) + minutes(5) + seconds(6));
  EXPECT_EQ(make("@after 2020-01-01T00:00:00Z <PT1.5S").grace(), milliseconds(1500));
}

TEST(Schedule, instants_far_outside_the_calendar_are_never_followed) {
  const Schedule schedule = make("* * * * * *");
  for (const std::int64_t at : {INT64_MIN, INT64_MIN / 2, INT64_MAX / 2, INT64_MAX}) {
    EXPECT_TRUE(schedule.next_after(Instant::from_unix(at)).is_zero());
  }
}

TEST(Schedule, refuses_with_the_texts_of_the_specification) {
  EXPECT_EQ(error_of("TZ=UTC"), "expected schedule after time zone");
  EXPECT_EQ(error_of("0 , * * * *"), "field selects nothing: ,");
  EXPECT_EQ(error_of("* * * * * -5-6"),
            "failed to parse int from : strconv.Atoi: parsing \"\": invalid syntax");
  EXPECT_EQ(error_of("* 70/5 * * * *"), "beginning of range (70) beyond end of range (59): 70/5");
  EXPECT_EQ(error_of("*/9223372036854775807 * * * * *"), "accepted");
  EXPECT_EQ(error_of("* * * * *\u00a0mon"), "accepted");
  EXPECT_EQ(error_of("@after 2026-02-01T00:00:00Z <PT1.S"),
            "failed to parse grace period in @after: PT1.S: invalid ISO8601 duration format: "
            "PT1.S");
  EXPECT_EQ(error_of("@after 2026-02-01T00:00:00Z <P2H"),
            "failed to parse grace period in @after: P2H: invalid ISO8601 duration format: P2H");
}

TEST(ExpandHash, replaces_by_position) {
  EXPECT_EQ(expand_hash("TZ=Europe/Madrid 0 0 1 * ~ *", "test_job"),
            "TZ=Europe/Madrid 0 0 1 * 7 *");
  EXPECT_EQ(expand_hash("TZ=Europe/Madrid @at something with ~", "test_job"),
            "TZ=Europe/Madrid @at something with ~");
  EXPECT_EQ(expand_hash("0 ~ @x", "test_job"), "0 ~ @x");
  EXPECT_EQ(expand_hash("\t0\t0  ~ ~ ~ ~ ", "test_job"), "\t0\t0  18 19 7 4 ");
  EXPECT_EQ(expand_hash("~ * * * * *", ""), "~ * * * * *");
}

TEST(ExpandHash, a_stepped_placeholder_starts_below_its_step) {
  // "test_job" sums up to 858.
  EXPECT_EQ(expand_hash("0 ~/15,~ ~/5 ~/10 ~/5 ~/2", "test_job"), "0 3/15,18 3/5 9/10 4/5 0/2");
  EXPECT_EQ(expand_hash("0 ~/100 ~/0 ~/x ~/ ~", "test_job"), "0 18/100 18/0 19/x 7/ 4");
}

}  // namespace
}  // namespace dkron::cron
