#include "agent/peer_table.h"

#include <set>

#include "agent/test_support.h"

namespace dkron::agent {
namespace {

using namespace testing_support;

class PeerTableTest : public testing::Test {
 protected:
  std::vector<std::string> select(const model::StringMap& tags) {
    return table_.select(tags, random_);
  }
  ManualClock clock_;
  SeededRandom random_{1};
  PeerTable table_{clock_, "global"};
};

TEST_F(PeerTableTest, selects_by_all_tags_and_the_smallest_count) {
  table_.apply(member("a", {{"tag", "test"}, {"extra", "tag"}}));
  table_.apply(member("b", {{"tag", "test"}}));
  table_.apply(member("c"));
  EXPECT_EQ(table_.select(std::nullopt, random_).size(), 3U);
  EXPECT_EQ(select({{"tag", "test:2"}}), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(select({{"tag", "test:1"}}).size(), 1U);
  EXPECT_EQ(select({{"tag", "test:2"}, {"extra", "tag"}}), (std::vector<std::string>{"a"}));
  EXPECT_TRUE(select({{"foo", "bar:1"}, {"tag", "test:2"}}).empty());
  EXPECT_TRUE(select({{"tag", "test:x"}}).empty());
  EXPECT_TRUE(select({{"tag", "test:0"}}).empty());
}

TEST_F(PeerTableTest, draws_each_of_many_nodes_sooner_or_later) {
  for (const char* name : {"a", "b", "c", "d"}) table_.apply(member(name, {{"k", "v"}}));
  std::set<std::string> drawn;
  for (int i = 0; i < 100; ++i) {
    const auto names = select({{"k", "v:2"}});
    ASSERT_EQ(names.size(), 2U);
    EXPECT_NE(names[0], names[1]);
    drawn.insert(names.begin(), names.end());
  }
  EXPECT_EQ(drawn.size(), 4U);
}

TEST_F(PeerTableTest, leaves_out_who_is_gone_drains_or_belongs_to_another_region) {
  table_.apply(failed(member("gone")));
  table_.apply(member("draining", {{std::string(kDrainingTag), "true"}}));
  table_.apply(member("elsewhere", {{"region", "other"}}));
  table_.apply(without_tag(member("plain-serf"), "role"));
  EXPECT_TRUE(table_.select(std::nullopt, random_).empty());
  EXPECT_EQ(table_.find("elsewhere"), nullptr);
}

TEST_F(PeerTableTest, remembers_since_when_a_node_is_gone) {
  table_.apply(member("a"));
  clock_.steady_now = seconds(10);
  table_.apply(failed(member("a")));
  clock_.steady_now = seconds(20);
  table_.apply(failed(member("a")));  // Told again: still gone since then.
  EXPECT_EQ(table_.find("a")->gone_since, seconds(10));
  table_.apply({gossip::MemberEvent::Type::Reap, {failed(member("a"))}});
  EXPECT_EQ(table_.find("a"), nullptr);
}

}  // namespace
}  // namespace dkron::agent
