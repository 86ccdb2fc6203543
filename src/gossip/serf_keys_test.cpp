// Keys: an encrypted cluster, and changing its keys while it runs.
#include <gtest/gtest.h>

#include "base/base64.h"
#include "gossip/test_cluster.h"

namespace dkron::gossip {
namespace {

const std::string kOld(16, 'o');
const std::string kNew(32, 'n');

class SerfKeys : public ::testing::Test {
 protected:
  KeyReport manage(const std::string& who, KeyAction action, const std::string& raw_key) {
    std::optional<KeyReport> report;
    const auto asked = cluster[who]->manage_keys(action, encode_base64(raw_key),
                                                 [&](const KeyReport& summed) { report = summed; });
    EXPECT_TRUE(asked);
    EXPECT_TRUE(cluster.run_until([&] { return report.has_value(); }, minutes(1)));
    return report.value_or(KeyReport{});
  }
  std::uint64_t dropped() {
    std::uint64_t sum = 0;
    for (const char* name : {"a", "b", "c"}) {
      sum += cluster[name]->memberlist().counters().packets_dropped;
    }
    return sum;
  }

  TestCluster cluster;
};

TEST_F(SerfKeys, are_rotated_while_the_cluster_runs_and_no_packet_is_lost) {
  cluster.set_keys({kOld});
  cluster.form({"a", "b", "c"});
  for (const auto& [action, key] :
       {std::pair{KeyAction::Install, kNew}, {KeyAction::Use, kNew}, {KeyAction::Remove, kOld}}) {
    const KeyReport report = manage("a", action, key);
    EXPECT_EQ(report.members, 3u);
    EXPECT_EQ(report.responses, 3u);
    EXPECT_EQ(report.errors, 0u);
    EXPECT_TRUE(report.messages.empty());
    cluster.run(seconds(10));
    EXPECT_EQ(dropped(), 0u) << query_name(action);
  }
  for (const char* name : {"a", "b", "c"}) {
    EXPECT_EQ(cluster[name].keyring()->keys(), (std::vector<std::string>{kNew}));
    EXPECT_EQ(cluster[name].saved_keyrings.size(), 3u);
    EXPECT_EQ(cluster[name].saved_keyrings.back().keys(), (std::vector<std::string>{kNew}));
  }
  cluster.run(minutes(2));
  EXPECT_EQ(dropped(), 0u);
  EXPECT_EQ(cluster["a"]->memberlist().counters().suspicions, 0u);
  EXPECT_TRUE(cluster.all_see("b", MemberStatus::Alive));
}

TEST_F(SerfKeys, are_listed_with_how_many_members_have_them) {
  cluster.set_keys({kOld});
  cluster.form({"a", "b"});
  cluster.set_keys({kOld, kNew});
  ASSERT_TRUE(cluster.join(cluster.add("c"), cluster["a"].endpoint()));
  cluster.run(seconds(2));
  const KeyReport report = manage("b", KeyAction::List, "");
  EXPECT_EQ(report.responses, 3u);
  EXPECT_EQ(report.errors, 0u);
  EXPECT_EQ(report.keys.at(encode_base64(kOld)), 3u);
  EXPECT_EQ(report.keys.at(encode_base64(kNew)), 1u);
  EXPECT_EQ(report.primary_keys.at(encode_base64(kOld)), 3u);
}

TEST_F(SerfKeys, that_cannot_be_changed_are_reported_for_each_member) {
  cluster.set_keys({kOld});
  cluster.form({"a", "b", "c"});
  for (const auto& [action, key] : {std::pair{KeyAction::Install, std::string("short")},
                                    {KeyAction::Use, kNew},
                                    {KeyAction::Remove, kOld}}) {
    const KeyReport report = manage("a", action, key);
    EXPECT_EQ(report.responses, 3u) << query_name(action);
    EXPECT_EQ(report.errors, 3u) << query_name(action);
    EXPECT_EQ(report.messages.size(), 3u) << query_name(action);
    EXPECT_FALSE(report.messages.at("b").empty());
  }
  EXPECT_EQ(cluster["a"].keyring()->keys(), (std::vector<std::string>{kOld}));
  EXPECT_TRUE(cluster["a"].saved_keyrings.empty());
}

TEST_F(SerfKeys, that_cannot_be_saved_stay_as_they_were) {
  cluster.set_keys({kOld});
  cluster.form({"a", "b"});
  cluster["b"].save_result = fail(ErrorCode::Io, "the disk is full");
  const KeyReport report = manage("a", KeyAction::Install, kNew);
  EXPECT_EQ(report.errors, 1u);
  EXPECT_EQ(report.messages.at("b"), "the disk is full");
  EXPECT_EQ(cluster["a"].keyring()->keys().size(), 2u);
  EXPECT_EQ(cluster["b"].keyring()->keys().size(), 1u);
}

TEST_F(SerfKeys, of_a_cluster_that_is_not_encrypted_cannot_be_changed) {
  cluster.form({"a", "b"});
  const KeyReport changed = manage("a", KeyAction::Install, kNew);
  EXPECT_EQ(changed.errors, 2u);
  EXPECT_EQ(changed.messages.at("b"), "No keyring to modify (encryption not enabled)");
  const KeyReport listed = manage("a", KeyAction::List, "");
  EXPECT_EQ(listed.messages.at("b"), "Keyring is empty (encryption not enabled)");
}

TEST_F(SerfKeys, that_are_malformed_are_refused_before_anybody_is_asked) {
  cluster.set_keys({kOld});
  cluster.form({"a"});
  const auto done = [](const KeyReport&) { FAIL(); };
  EXPECT_FALSE(cluster["a"]->manage_keys(KeyAction::Install, "no base64!", done));
  EXPECT_FALSE(cluster["a"]->manage_keys(KeyAction::Install, "", done));
  cluster.run(seconds(10));
}

TEST_F(SerfKeys, that_are_too_many_to_be_listed_are_cut_and_it_is_said) {
  std::vector<std::string> keys;
  for (char c = 'A'; c < 'A' + 40; ++c) keys.emplace_back(32, c);
  cluster.set_keys(keys);
  cluster.form({"a", "b"});
  const KeyReport report = manage("a", KeyAction::List, "");
  EXPECT_EQ(report.responses, 2u);
  EXPECT_EQ(report.errors, 0u);
  EXPECT_LT(report.keys.size(), 40u);
  EXPECT_GT(report.keys.size(), 15u);
  EXPECT_EQ(report.messages.at("b"), "Truncated key list response, showing first " +
                                         std::to_string(report.keys.size()) + " of 40 keys");
}

TEST_F(SerfKeys, a_member_that_is_silent_is_missing_in_the_report) {
  cluster.set_keys({kOld});
  cluster.form({"a", "b", "c"});
  cluster.network().cut(cluster["c"].endpoint());
  const KeyReport report = manage("a", KeyAction::Install, kNew);
  EXPECT_EQ(report.members, 3u);
  EXPECT_EQ(report.responses, 2u);
}

TEST_F(SerfKeys, nobody_joins_with_another_key_or_none) {
  cluster.set_keys({kOld});
  cluster.form({"a"});
  cluster.set_keys({kNew});
  EXPECT_FALSE(cluster.join(cluster.add("b"), cluster["a"].endpoint()));
  cluster.set_keys({});
  EXPECT_FALSE(cluster.join(cluster.add("c"), cluster["a"].endpoint()));
  cluster.run(seconds(5));
  EXPECT_EQ(cluster["a"]->members().size(), 1u);
}

}  // namespace
}  // namespace dkron::gossip
