// Recorded schedules of the reference, and our own expectation where we deliberately differ
// (tests/golden/cron/ours.json, each entry with its reason).
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "base/file.h"
#include "cron/schedule.h"

namespace dkron::cron {
namespace {

namespace json = boost::json;

Path golden_folder() {
  return Path(DKRON_SOURCE_DIR) / "tests/golden/cron";
}

json::array load_entries(const Path& path) {
  const auto text = read_file(path, 1 << 20);
  EXPECT_TRUE(text) << path;
  return json::parse(*text).at("entries").as_array();
}

std::string text_of(const json::object& entry, std::string_view key) {
  const auto* value = entry.if_contains(json::string_view(key.data(), key.size()));
  return value == nullptr ? "" : std::string(value->as_string());
}

std::string key_of(const json::object& entry) {
  return text_of(entry, "expr") + "\n" + text_of(entry, "timezone") + "\n" +
         text_of(entry, "from") + "\n" + text_of(entry, "name");
}

// Our answer in the form of the files: activations in UTC, "never" at the end, or the error.
std::vector<std::string> answer(const json::object& entry, std::size_t count) {
  Options options;
  options.zone = TimeZone::utc();
  if (const std::string zone = text_of(entry, "timezone"); !zone.empty()) {
    const auto loaded = TimeZone::load(zone);
    // The reference writes the job's zone in front of the expression.
    if (!loaded) return {"provided bad location " + zone + ": " + loaded.error().message};
    options.zone = *loaded;
  }
  const auto schedule = Schedule::parse(text_of(entry, "expr"), text_of(entry, "name"), options);
  if (!schedule) return {schedule.error().message};
  std::vector<std::string> activations;
  Instant at = *parse_rfc3339(text_of(entry, "from"));
  while (activations.size() < count) {
    const bool used_up = schedule->kind() == Schedule::Kind::After && !activations.empty();
    at = used_up ? Instant() : schedule->next_after(at);
    if (at.is_zero()) {
      activations.push_back("never");
      break;
    }
    activations.push_back(format_rfc3339(at));
  }
  return activations;
}

// Years beyond 9999 are no RFC 3339; their texts are UTC already.
std::string in_utc(const std::string& recorded) {
  const auto parsed = parse_rfc3339(recorded);
  return parsed ? format_rfc3339(*parsed) : recorded;
}

std::vector<std::string> expected(const json::object& entry) {
  if (const auto* error = entry.if_contains("error")) return {std::string(error->as_string())};
  std::vector<std::string> activations;
  if (const auto* next = entry.if_contains("next")) {
    for (const auto& one : next->as_array()) {
      activations.push_back(in_utc(std::string(one.as_string())));
    }
  }
  return activations;
}

class Golden : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    ::setenv("TZ", "UTC", 1);
    for (const auto& value : load_entries(golden_folder() / "ours.json")) {
      const auto& entry = value.as_object();
      EXPECT_FALSE(text_of(entry, "why").empty());
      const bool is_new = ours_.emplace(key_of(entry), entry).second;
      EXPECT_TRUE(is_new) << key_of(entry);
    }
  }
  static std::map<std::string, json::object> ours_;
};
std::map<std::string, json::object> Golden::ours_;

TEST_F(Golden, every_vector_gives_the_recorded_answer_or_our_own) {
  int same = 0, different = 0;
  for (const auto& file : std::filesystem::directory_iterator(golden_folder())) {
    if (file.path().extension() != ".json" || file.path().filename() == "ours.json") continue;
    for (const auto& value : load_entries(file.path())) {
      const auto& entry = value.as_object();
      const auto own = ours_.find(key_of(entry));
      const auto want = expected(own == ours_.end() ? entry : own->second);
      ASSERT_FALSE(want.empty()) << file.path() << " " << key_of(entry);
      const bool ends = want.back() == "never";
      EXPECT_EQ(answer(entry, want.size() + (ends ? 1 : 0)), want)
          << file.path().filename() << ": " << json::serialize(entry);
      ++(own == ours_.end() ? same : different);
    }
  }
  std::printf("golden schedules: %d as recorded, %d with our own answer\n", same, different);
  EXPECT_EQ(same + different, 1074);
  EXPECT_EQ(static_cast<std::size_t>(different), ours_.size()) << "an own answer was never used";
}

TEST_F(Golden, placeholders_expand_as_recorded) {
  for (const auto& value : load_entries(golden_folder() / "hash.json")) {
    const auto& entry = value.as_object();
    const auto own = ours_.find(key_of(entry));
    const auto& want = own == ours_.end() ? entry : own->second;
    EXPECT_EQ(expand_hash(text_of(entry, "expr"), text_of(entry, "name")),
              text_of(want, "expanded"));
  }
}

}  // namespace
}  // namespace dkron::cron
