#include "config/flags.h"

#include <gtest/gtest.h>

namespace dkron::config {
namespace {

Result<Flags> parse(std::vector<std::string> arguments) {
  return parse_flags(arguments, agent_options());
}

std::string error_of(std::vector<std::string> arguments) {
  auto flags = parse(std::move(arguments));
  return flags ? "" : flags.error().message;
}

TEST(Flags, takes_values_behind_a_blank_or_an_equals_sign) {
  const auto flags = parse({"--node-name", "a", "--rpc-port=7", "x", "--server"});
  ASSERT_TRUE(flags);
  EXPECT_EQ(flags->get("node-name", agent_options()), "a");
  EXPECT_EQ(flags->get("rpc-port", agent_options()), "7");
  EXPECT_EQ(flags->get("server", agent_options()), "true");
  EXPECT_EQ(flags->get("http-addr", agent_options()), ":8080");
  EXPECT_EQ(flags->positional, std::vector<std::string>{"x"});
}

TEST(Flags, keeps_every_value_of_a_repeated_flag) {
  const auto flags = parse({"--tag", "a=b", "--tag=c=d"});
  ASSERT_TRUE(flags);
  EXPECT_EQ(flags->given.at("tag"), (std::vector<std::string>{"a=b", "c=d"}));
}

TEST(Flags, stops_at_a_double_dash) {
  const auto flags = parse({"--", "--server"});
  ASSERT_TRUE(flags);
  EXPECT_FALSE(flags->has("server"));
  EXPECT_EQ(flags->positional, std::vector<std::string>{"--server"});
}

TEST(Flags, speaks_the_words_of_the_reference) {
  EXPECT_EQ(error_of({"--nope"}), "unknown flag: --nope");
  EXPECT_EQ(error_of({"-x"}), "unknown shorthand flag: 'x' in -x");
  EXPECT_EQ(error_of({"--rpc-port"}), "flag needs an argument: --rpc-port");
  EXPECT_EQ(error_of({"--rpc-port=abc"}),
            "invalid argument \"abc\" for \"--rpc-port\" flag: strconv.ParseInt: parsing \"abc\": "
            "invalid syntax");
  EXPECT_EQ(error_of({"--server=maybe"}),
            "invalid argument \"maybe\" for \"--server\" flag: strconv.ParseBool: parsing "
            "\"maybe\": invalid syntax");
  EXPECT_EQ(error_of({"--mail-port=99999"}),
            "invalid argument \"99999\" for \"--mail-port\" flag: strconv.ParseUint: parsing "
            "\"99999\": value out of "
            "range");
  EXPECT_EQ(error_of({"--agent-run-retry-initial-interval=soon"}),
            "invalid argument \"soon\" for \"--agent-run-retry-initial-interval\" flag: time: "
            "invalid duration "
            "\"soon\"");
}

TEST(Flags, does_not_know_keys_that_only_files_have) {
  EXPECT_EQ(error_of({"--devmode"}), "unknown flag: --devmode");
}

TEST(Flags, aligns_the_help_of_several_lines) {
  static constexpr Option kOptions[] = {{"name", Type::String, "x", "first\nsecond"},
                                        {"on", Type::Bool, "", "yes"}};
  EXPECT_EQ(describe_flags(kOptions, "thing"),
            "  -h, --help          help for thing\n"
            "      --name string   first\n"
            "                      second (default \"x\")\n"
            "      --on            yes\n");
}

TEST(SplitList, honours_quotes_around_whole_fields) {
  EXPECT_EQ(*split_list("a,b"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(*split_list("\"a,b\",c"), (std::vector<std::string>{"a,b", "c"}));
  EXPECT_EQ(*split_list("\"a\"\"b\""), (std::vector<std::string>{"a\"b"}));
  EXPECT_EQ(*split_list("a,"), (std::vector<std::string>{"a", ""}));
  EXPECT_TRUE(split_list("")->empty());
  EXPECT_FALSE(split_list("\"a"));
  EXPECT_FALSE(split_list("a\"b"));
}

}  // namespace
}  // namespace dkron::config
