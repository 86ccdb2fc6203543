#include "model/json_text.h"

#include <gtest/gtest.h>

namespace dkron::model {
namespace {

TEST(JsonText, lone_surrogates_become_the_replacement_character_in_place) {
  struct Case {
    std::string_view json, wanted;
  };
  for (const auto& [json, wanted] : {
           Case{R"("\ud800")", R"("\ufffd")"},
           Case{R"("\uDC00x")", R"("\ufffdx")"},
           Case{R"("\ud83d\ude00")", R"("\ud83d\ude00")"},
           Case{R"("\ud800\ud83d\ude00")", R"("\ufffd\ud83d\ude00")"},
           Case{R"("\ud800A")", R"("\ufffdA")"},
           Case{R"("\\ud800")", R"("\\ud800")"},
           Case{R"("\\\ud800")", R"("\\\ufffd")"},
           Case{R"("\ud80")", R"("\ud80")"},
           Case{R"("\ud8)", R"("\ud8)"},
           Case{"\\", "\\"},
           Case{"", ""},
       }) {
    EXPECT_EQ(replace_lone_surrogates(json), wanted) << json;
    EXPECT_EQ(has_malformed_characters(json), json != wanted) << json;
  }
  EXPECT_TRUE(has_malformed_characters("\"\xff\""));
  EXPECT_FALSE(has_malformed_characters("\"\xC3\xA9\""));
}

TEST(JsonText, errors_name_the_character_and_its_place) {
  EXPECT_EQ(describe_json_error("{\"a\":1,}", 7, ""), "unexpected '}' at byte 8");
  EXPECT_EQ(describe_json_error("a\nb", 1, ""), "unexpected '\\n' at byte 2");
  EXPECT_EQ(describe_json_error("a\"", 1, ""), "unexpected '\"' at byte 2");
  EXPECT_EQ(describe_json_error("a\xC3\xA9", 1, ""), "unexpected '\xC3\xA9' at byte 2");
  EXPECT_EQ(describe_json_error("a\xff", 1, ""), "unexpected '\xEF\xBF\xBD' at byte 2");
  EXPECT_EQ(describe_json_error("{", 1, ""), "the JSON text ends too early, at byte 2");
  EXPECT_EQ(describe_json_error("[[[", 2, "too deep"), "too deep at byte 3");
}

}  // namespace
}  // namespace dkron::model
