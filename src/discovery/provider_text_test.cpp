#include "discovery/provider_text.h"

#include <gtest/gtest.h>

namespace dkron::discovery {
namespace {

std::string error_of(std::string_view text) {
  const auto parsed = parse_provider_text(text);
  return parsed ? "no error" : parsed.error().message;
}

Parameters parse(std::string_view text) {
  const auto parsed = parse_provider_text(text);
  EXPECT_TRUE(parsed) << parsed.error().message;
  return parsed ? *parsed : Parameters();
}

TEST(ProviderText, reads_keys_and_values_apart_by_blanks) {
  EXPECT_EQ(parse("  provider=k8s   namespace=prod "),
            (Parameters{{"provider", "k8s"}, {"namespace", "prod"}}));
  EXPECT_EQ(parse(""), Parameters());
}

TEST(ProviderText, allows_blanks_around_the_equals_sign) {
  EXPECT_EQ(parse("a = b"), (Parameters{{"a", "b"}}));
}

TEST(ProviderText, reads_quoted_keys_and_values_as_go_strings) {
  EXPECT_EQ(parse(R"("some key"="some \"value\" = \\ end" x="")"),
            (Parameters{{"some key", R"(some "value" = \ end)"}, {"x", ""}}));
  EXPECT_EQ(parse(R"(a="\t\x41\101\u00e4\U0001F600")"),
            (Parameters{{"a", "\tAA\u00e4\U0001F600"}}));
}

TEST(ProviderText, keeps_a_quote_inside_a_bare_value) {
  EXPECT_EQ(parse(R"(a=b"c)"), (Parameters{{"a", R"(b"c)"}}));
}

TEST(ProviderText, tells_errors_in_the_words_of_the_original) {
  EXPECT_EQ(error_of("a"), "a: missing '='");
  EXPECT_EQ(error_of("a b=c"), "a: missing '='");
  EXPECT_EQ(error_of("a="), "a: missing value");
  EXPECT_EQ(error_of("a=="), "a: missing value");
  EXPECT_EQ(error_of("a=b a=c"), "a: duplicate key");
  EXPECT_EQ(error_of("a=b=c"), "a: - equals in key's value, enclosing quotes needed");
  EXPECT_EQ(error_of("a=\"b"), "a: unbalanced quotes");
  EXPECT_EQ(error_of("a=\"b\\"), "a: unterminated escape sequence");
  EXPECT_EQ(error_of(R"(a="\q")"), "a: invalid syntax");
  EXPECT_EQ(error_of(R"(a=b "c)"), "a: error with key=value pair unbalanced quotes");
}

TEST(ProviderText, refuses_escapes_that_go_refuses) {
  for (const char* text : {R"("\400")", R"("\x4")", R"("\ud800")", R"("\U00110000")", R"("\8")",
                           R"("\')", "\"a\nb\"", "\"", "a", ""}) {
    EXPECT_FALSE(unquote(text)) << text;
  }
}

TEST(ProviderText, refuses_a_text_without_bounds) {
  const auto parsed = parse_provider_text("a=" + std::string(kProviderTextLimit, 'x'));
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, ErrorCode::TooLarge);
}

}  // namespace
}  // namespace dkron::discovery
