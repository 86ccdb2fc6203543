#include "base/time.h"

#include <gtest/gtest.h>

namespace dkron {
namespace {

TEST(Instant, default_is_the_zero_time) {
  EXPECT_TRUE(Instant().is_zero());
  EXPECT_EQ(format_rfc3339(Instant()), "0001-01-01T00:00:00Z");
  EXPECT_EQ(Instant().unix_nanos(), -6795364578871345152);
}

TEST(Instant, arithmetic_carries_nanoseconds_both_ways) {
  const Instant t = Instant::from_unix(10, 900'000'000);
  EXPECT_EQ(t + milliseconds(200), Instant::from_unix(11, 100'000'000));
  EXPECT_EQ(t - milliseconds(950), Instant::from_unix(9, 950'000'000));
  EXPECT_EQ((t + seconds(5)) - t, Duration(seconds(5)));
  EXPECT_EQ(t - Instant(), Duration::max());
  EXPECT_EQ(Instant::from_unix_nanos(-1), Instant::from_unix(-1, 999'999'999));
}

TEST(Rfc3339, reads_and_writes_what_it_wrote) {
  for (const char* text :
       {"2025-12-20T10:28:11.12Z", "9999-12-31T23:59:59.999999999Z", "0001-01-01T00:00:00Z",
        "1969-12-31T23:59:59.5Z", "2024-02-29T00:00:00Z"}) {
    const auto t = parse_rfc3339(text);
    ASSERT_TRUE(t) << t.error().message;
    EXPECT_EQ(format_rfc3339(*t), text);
  }
  EXPECT_EQ(format_rfc3339(*parse_rfc3339("2026-01-01T00:00:00+02:00")), "2025-12-31T22:00:00Z");
  EXPECT_EQ(format_rfc3339(*parse_rfc3339("2025-12-31T22:00:00Z"), 7200),
            "2026-01-01T00:00:00+02:00");
}

TEST(Rfc3339, names_the_element_that_is_wrong) {
  const auto message = [](const char* text) { return parse_rfc3339(text).error().message; };
  EXPECT_EQ(
      message("2026-02-01"),
      "parsing time \"2026-02-01\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"\" as \"T\"");
  EXPECT_EQ(message(""),
            "parsing time \"\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"\" as \"2006\"");
  EXPECT_EQ(message("2026-13-01T00:00:00Z"),
            "parsing time \"2026-13-01T00:00:00Z\": month out of range");
  EXPECT_EQ(message("2025-02-29T00:00:00Z"),
            "parsing time \"2025-02-29T00:00:00Z\": day out of range");
  EXPECT_EQ(message("2025-02-28T00:00:00Zx"),
            "parsing time \"2025-02-28T00:00:00Zx\": extra text: \"x\"");
}

TEST(DurationText, follows_go) {
  EXPECT_EQ(*parse_duration("1h30m"), minutes(90));
  EXPECT_EQ(*parse_duration("-1.5s"), milliseconds(-1500));
  EXPECT_EQ(*parse_duration("0"), Duration(0));
  EXPECT_EQ(*parse_duration(".5ms"), microseconds(500));
  EXPECT_EQ(parse_duration("10").error().message, "time: missing unit in duration \"10\"");
  EXPECT_EQ(parse_duration("1d").error().message, "time: unknown unit \"d\" in duration \"1d\"");
  EXPECT_EQ(parse_duration("").error().message, "time: invalid duration \"\"");
  EXPECT_EQ(parse_duration("9223372036854775808ns").error().message,
            "time: invalid duration \"9223372036854775808ns\"");
  EXPECT_EQ(format_duration(minutes(90)), "1h30m0s");
  EXPECT_EQ(format_duration(milliseconds(-1500)), "-1.5s");
  EXPECT_EQ(format_duration(microseconds(1500)), "1.5ms");
  EXPECT_EQ(format_duration(Duration(0)), "0s");
  EXPECT_EQ(format_duration(Duration::min()), "-2562047h47m16.854775808s");
}

}  // namespace
}  // namespace dkron
