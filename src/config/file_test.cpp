#include "config/file.h"

#include <gtest/gtest.h>

namespace dkron::config {
namespace {

std::string text(const Result<FileValues>& values, const std::string& key) {
  const auto found = values->find(key);
  return found == values->end() ? "(none)" : found->second.text;
}

TEST(ConfigFile, reads_the_same_settings_from_every_format) {
  const std::vector<std::pair<std::string, std::string>> files = {
      {"yaml",
       "Log-Level: debug\nrpc-port: 7000\nserver: true\nretry-join: [a, b]\ntags:\n  Role: web\n"},
      {"toml",
       "Log-Level = \"debug\"\nrpc-port = 7000\nserver = true\nretry-join = [\"a\", "
       "\"b\"]\n[tags]\nRole = \"web\"\n"},
      {"json",
       "{\"Log-Level\":\"debug\",\"rpc-port\":7000,\"server\":true,\"retry-join\":[\"a\",\"b\"],"
       "\"tags\":{\"Role\":\"web\"}}"},
  };
  for (const auto& [extension, content] : files) {
    const auto values = parse_config(extension, content);
    ASSERT_TRUE(values) << extension << ": " << values.error().message;
    EXPECT_EQ(text(values, "log-level"), "debug") << extension;
    EXPECT_EQ(text(values, "rpc-port"), "7000") << extension;
    EXPECT_EQ(text(values, "server"), "true") << extension;
    EXPECT_EQ(values->at("retry-join").list, (List{"a", "b"})) << extension;
    EXPECT_EQ(values->at("tags").map, (Map{{"Role", "web"}})) << extension;
  }
}

TEST(ConfigFile, reads_dotenv_lines) {
  const auto values = parse_config("env", "# comment\n\nexport log-level='debug'\nrpc-port=7\n");
  ASSERT_TRUE(values);
  EXPECT_EQ(text(values, "log-level"), "debug");
  EXPECT_EQ(text(values, "rpc-port"), "7");
  EXPECT_FALSE(parse_config("env", "no equals sign"));
}

TEST(ConfigFile, merges_a_list_of_mappings) {
  const auto values = parse_config("yaml", "tags:\n  - a: b\n  - c: d\n");
  ASSERT_TRUE(values);
  EXPECT_EQ(values->at("tags").map, (Map{{"a", "b"}, {"c", "d"}}));
}

TEST(ConfigFile, drops_a_stray_quote_behind_a_key) {
  const auto values = parse_config("yaml", "mail-username\": joe\n");
  ASSERT_TRUE(values);
  EXPECT_EQ(text(values, "mail-username"), "joe");
}

TEST(ConfigFile, refuses_what_it_cannot_read) {
  EXPECT_FALSE(parse_config("yaml", "a:\n\t- b\n"));
  EXPECT_FALSE(parse_config("toml", "log-level = \n"));
  EXPECT_FALSE(parse_config("json", "[1]"));
  EXPECT_FALSE(parse_config("json", "{"));
  EXPECT_FALSE(parse_config("ini", "[x]"));
  EXPECT_FALSE(parse_config("yaml", "a: {b: {c: d}}"));
}

TEST(ConfigFile, survives_deep_nesting) {
  EXPECT_FALSE(parse_config("yaml", std::string(100'000, '[')));
  EXPECT_FALSE(parse_config("json", std::string(100'000, '[')));
  EXPECT_FALSE(parse_config("toml", "a = " + std::string(100'000, '[')));
}

TEST(ConfigFile, an_empty_file_sets_nothing) {
  EXPECT_TRUE(parse_config("yaml", "")->empty());
  EXPECT_TRUE(parse_config("toml", "")->empty());
}

TEST(ConfigFile, toml_has_foreign_characters_in_strings_comments_and_keys_only) {
  const auto values = parse_config(
      "toml",
      "# \xC3\xA4\na = \"\xC3\xA4 \\\"\"\nb = '\xC3\xA4\\'\nc = \"\"\"\n\xC3\xA4\"\n\"\"\"\n");
  ASSERT_TRUE(values) << values.error().message;
  EXPECT_EQ(values->at("a").text, "\xC3\xA4 \"");
  EXPECT_EQ(values->at("c").text, "\xC3\xA4\"\n");
  EXPECT_EQ(parse_config("toml", "\xC3\xA4 = 'Zq Zqq'")->at("\xC3\xA4").text, "Zq Zqq");
  for (const char* text : {"a = \xC2\xA1", "a = \"x\" \xC3\xA4", "a = \"\"\"\\\xC3\xA4\"\"\""}) {
    EXPECT_FALSE(parse_config("toml", text)) << text;
  }
}

}  // namespace
}  // namespace dkron::config
