#include "executor/config_text.h"

#include <gtest/gtest.h>

namespace dkron::executor {
namespace {

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
