#include "executor/config_text.h"

#include <gtest/gtest.h>

namespace dkron::executor {
namespace {

std::string decoded(std::string_view text) {
  const auto bytes = decode_base64(text);
  return bytes ? *bytes : "!" + bytes.error().message;
}

TEST(ConfigText, reads_go_booleans) {
  for (const char* text : {"1", "t", "T", "TRUE", "true", "True"})
    EXPECT_TRUE(*parse_bool(text)) << text;
  for (const char* text : {"0", "f", "F", "FALSE", "false", "False"})
    EXPECT_FALSE(*parse_bool(text)) << text;
  EXPECT_EQ(parse_bool("maybe").error().message,
            "strconv.ParseBool: parsing \"maybe\": invalid syntax");
}

TEST(ConfigText, decodes_base64) {
  EXPECT_EQ(decoded(""), "");
  EXPECT_EQ(decoded("aGVsbG8="), "hello");
  EXPECT_EQ(decoded("aGVs\r\nbG8=\n"), "hello");
  EXPECT_EQ(decoded("aGVsbA=="), "hell");
  EXPECT_EQ(decoded("aGVsbA=\n="), "hell");
  EXPECT_EQ(decoded(encode_base64(std::string("\0\xff\x10", 3))), std::string("\0\xff\x10", 3));
}

TEST(ConfigText, names_the_byte_where_base64_is_broken) {
  EXPECT_EQ(decoded("aG!s"), "!illegal base64 data at input byte 2");
  EXPECT_EQ(decoded("aGVsbG8"), "!illegal base64 data at input byte 4");
  EXPECT_EQ(decoded("=GVs"), "!illegal base64 data at input byte 0");
  EXPECT_EQ(decoded("aGVsbA="), "!illegal base64 data at input byte 7");
  EXPECT_EQ(decoded("aGVsbG8=x"), "!illegal base64 data at input byte 8");
}

TEST(ConfigText, encodes_base64) {
  EXPECT_EQ(encode_base64("hello"), "aGVsbG8=");
  EXPECT_EQ(encode_base64("hell"), "aGVsbA==");
  EXPECT_EQ(encode_base64("user:secret"), "dXNlcjpzZWNyZXQ=");
}

TEST(CodeSet, reads_lists_ranges_and_classes) {
  const auto codes = CodeSet::parse("0, 2,10-20", false);
  ASSERT_TRUE(codes);
  for (const int code : {0, 2, 10, 15, 20}) EXPECT_TRUE(codes->contains(code)) << code;
  for (const int code : {1, 3, 9, 21}) EXPECT_FALSE(codes->contains(code)) << code;
  EXPECT_TRUE(CodeSet::parse("2xx", true)->contains(299));
  EXPECT_FALSE(CodeSet::parse("2xx", true)->contains(300));
  EXPECT_TRUE(CodeSet::parse("200-299", true)->contains(204));
}

TEST(CodeSet, refuses_anything_else) {
  for (const char* text : {"x", "3-1", "-1", "1-", "2xx"})
    EXPECT_FALSE(CodeSet::parse(text, false)) << text;
  EXPECT_EQ(CodeSet::parse("1,x", false).error().message, "\"x\" is neither a number nor a range");
}

}  // namespace
}  // namespace dkron::executor
