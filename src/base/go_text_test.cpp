#include "base/go_text.h"

#include <gtest/gtest.h>

#include "base/time.h"

namespace dkron::go {
namespace {

TEST(GoText, quotes_as_strconv) {
  EXPECT_EQ(quote("a\"b\\c"), R"("a\"b\\c")");
  EXPECT_EQ(quote("\n\t\x01\x7f"), R"("\n\t\x01\x7f")");
  EXPECT_EQ(quote("größe ５"), "\"größe ５\"");
  EXPECT_EQ(quote("\xff\xc3"), R"("\xff\xc3")");
  EXPECT_EQ(quote("\u00a0\u200b\ufffd"), "\"\\u00a0\\u200b\ufffd\"");
}

TEST(GoText, quotes_as_package_time) {
  EXPECT_EQ(quote_for_time("1\"\\"), R"("1\"\\")");
  EXPECT_EQ(quote_for_time("é\n\x7f"), "\"\\xc3\\xa9\\x0a\x7f\"");
}

TEST(GoText, splits_at_unicode_white_space) {
  EXPECT_EQ(fields(" a\t\tb\u00a0c\u3000d\n"), (std::vector<std::string_view>{"a", "b", "c", "d"}));
  EXPECT_TRUE(fields(" \u2003 ").empty());
  EXPECT_EQ(trim_space("\u00a0 a b \n"), "a b");
  EXPECT_EQ(trim_space(" \t"), "");
}

TEST(GoText, reads_integers_as_atoi) {
  EXPECT_EQ(*parse_int("+007"), 7);
  EXPECT_EQ(*parse_int("-9223372036854775808"), INT64_MIN);
  for (const char* bad : {"", "+", "-", "+-1", "1_0", " 1", "1.5", "0x10"}) {
    EXPECT_EQ(parse_int(bad).error().message,
              "strconv.Atoi: parsing \"" + std::string(bad) + "\": invalid syntax");
  }
  EXPECT_EQ(parse_int("9223372036854775808").error().message,
            "strconv.Atoi: parsing \"9223372036854775808\": value out of range");
}

TEST(GoText, is_used_in_time_errors) {
  EXPECT_EQ(parse_duration("1é").error().message,
            R"(time: unknown unit "\xc3\xa9" in duration "1\xc3\xa9")");
  EXPECT_EQ(parse_rfc3339("\"x").error().message,
            R"(parsing time "\"x" as "2006-01-02T15:04:05Z07:00": cannot parse "\"x" as "2006")");
  EXPECT_EQ(parse_rfc3339("2026-02-01T00:00:00x25:00").error().message,
            "parsing time \"2026-02-01T00:00:00x25:00\": time zone offset hour out of range");
}

TEST(GoText, reads_booleans) {
  for (const char* text : {"1", "t", "T", "TRUE", "true", "True"})
    EXPECT_TRUE(*parse_bool(text)) << text;
  for (const char* text : {"0", "f", "F", "FALSE", "false", "False"})
    EXPECT_FALSE(*parse_bool(text)) << text;
  EXPECT_EQ(parse_bool("maybe").error().message,
            "strconv.ParseBool: parsing \"maybe\": invalid syntax");
}

}  // namespace
}  // namespace dkron::go
