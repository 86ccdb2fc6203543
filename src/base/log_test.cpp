#include "base/log.h"

#include <gtest/gtest.h>

namespace dkron {
namespace {

std::string logged(log::Format format, std::initializer_list<log::Field> fields) {
  log::configure({log::Level::Info, format, "node1"});
  testing::internal::CaptureStderr();
  log::info("a message", fields);
  log::debug("not shown");
  std::string line = testing::internal::GetCapturedStderr();
  return line.substr(line.find("level"));
}

TEST(Log, writes_sorted_logfmt_and_quotes_what_is_not_plain) {
  EXPECT_EQ(logged(log::Format::Text, {{"z", 1}, {"job", "a b\n\"c\""}, {"empty", ""}}),
            "level=info msg=\"a message\" empty=\"\" job=\"a b\\n\\\"c\\\"\" node=node1 z=1\n");
}

TEST(Log, writes_json) {
  EXPECT_EQ(logged(log::Format::Json, {{"k", "\x01"}}),
            "level\":\"info\",\"msg\":\"a message\",\"k\":\"\\u0001\",\"node\":\"node1\"}\n");
}

TEST(Log, writes_texts_of_many_lines_as_they_are_and_as_messages_in_json) {
  const auto logged_lines = [](log::Format format, std::string_view text) {
    log::configure({log::Level::Error, format, "node1"});
    testing::internal::CaptureStderr();
    log::write_lines(text);
    return testing::internal::GetCapturedStderr();
  };
  EXPECT_EQ(logged_lines(log::Format::Text, "# a \"b\"\nc 1\n"), "# a \"b\"\nc 1\n");
  EXPECT_EQ(logged_lines(log::Format::Text, "a\n\nb"), "a\n\nb\n");
  EXPECT_EQ(logged_lines(log::Format::Text, ""), "");
  const std::string json = logged_lines(log::Format::Json, "a\nb 2\n");
  EXPECT_NE(json.find("\"msg\":\"a\",\"node\":\"node1\"}\n{\"time\""), std::string::npos) << json;
  EXPECT_NE(json.find("\"msg\":\"b 2\",\"node\":\"node1\"}\n"), std::string::npos) << json;
}

TEST(Log, knows_the_levels) {
  EXPECT_EQ(*log::parse_level("warn"), log::Level::Warning);
  EXPECT_EQ(log::parse_level("loud").error().message, "not a valid log level: \"loud\"");
}

}  // namespace
}  // namespace dkron
