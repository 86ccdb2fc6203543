#include "gossip/snapshot.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/test_directory.h"

namespace dkron::gossip {
namespace {

class SnapshotTest : public ::testing::Test {
 protected:
  std::unique_ptr<Snapshot> open(AfterLeave after_leave = AfterLeave::Forget) {
    return Snapshot::open(path, after_leave).value();
  }
  std::string content() const { return read_file(path, kMaxSnapshotBytes).value(); }
  static MemberEvent event(MemberEvent::Type type, const std::string& name,
                           std::uint16_t port = 8946) {
    Member member;
    member.name = name;
    member.endpoint = {Ip::parse("10.0.0.1").value(), port};
    return {type, {member}};
  }

  testing_support::TemporaryDirectory directory;
  Path path = directory.path() / "serf.snapshot";
};

TEST_F(SnapshotTest, remembers_who_was_alive_and_the_clocks) {
  {
    auto snapshot = open();
    EXPECT_TRUE(snapshot->restored().alive.empty());
    snapshot->record(event(MemberEvent::Type::Join, "a"));
    snapshot->record(event(MemberEvent::Type::Join, "b"));
    snapshot->record(event(MemberEvent::Type::Failed, "b"));
    snapshot->record(event(MemberEvent::Type::Update, "c c"));
    snapshot->record(Serf::Clocks{4, 5, 6});
    snapshot->record(Serf::Clocks{4, 7, 6});
    EXPECT_EQ(content(), "");
    ASSERT_TRUE(snapshot->flush());
  }
  EXPECT_EQ(content(),
            "alive: a 10.0.0.1:8946\nalive: b 10.0.0.1:8946\nnot-alive: b\n"
            "alive: c c 10.0.0.1:8946\nclock: 4\nevent-clock: 5\nquery-clock: 6\n"
            "event-clock: 7\n");
  const auto again = open();
  const std::map<std::string, std::string> alive{{"a", "10.0.0.1:8946"}, {"c c", "10.0.0.1:8946"}};
  EXPECT_EQ(again->restored().alive, alive);
  EXPECT_EQ(again->restored().event_clock, 7u);
}

TEST_F(SnapshotTest, writes_nothing_when_nothing_changed) {
  auto snapshot = open();
  snapshot->record(event(MemberEvent::Type::Join, "a"));
  ASSERT_TRUE(snapshot->flush());
  const std::string before = content();
  snapshot->record(event(MemberEvent::Type::Update, "a"));
  snapshot->record(event(MemberEvent::Type::Reap, "stranger"));
  snapshot->record(Serf::Clocks{});
  ASSERT_TRUE(snapshot->flush());
  EXPECT_EQ(content(), before);
  snapshot->record(event(MemberEvent::Type::Update, "a", 9000));  // It moved.
  ASSERT_TRUE(snapshot->flush());
  EXPECT_NE(content(), before);
}

TEST_F(SnapshotTest, forgets_the_members_after_a_leave) {
  auto snapshot = open();
  snapshot->record(event(MemberEvent::Type::Join, "a"));
  ASSERT_TRUE(snapshot->leave());
  snapshot->record(event(MemberEvent::Type::Join, "b"));
  snapshot->record(Serf::Clocks{9, 9, 9});
  ASSERT_TRUE(snapshot->flush());
  ASSERT_TRUE(snapshot->leave());
  EXPECT_EQ(content(), "alive: a 10.0.0.1:8946\nleave\n");
  EXPECT_TRUE(open()->restored().alive.empty());
  EXPECT_EQ(open(AfterLeave::Rejoin)->restored().alive.size(), 1u);
}

TEST_F(SnapshotTest, is_written_anew_when_it_has_grown) {
  auto snapshot = open();
  snapshot->record(event(MemberEvent::Type::Join, "a"));
  const std::size_t limit = snapshot_compaction_bytes(1);
  std::size_t largest = 0;
  for (LamportTime time = 1; time < 40'000; ++time) {
    snapshot->record(Serf::Clocks{time, 0, 0});
    if (time % 1000 != 0) continue;
    ASSERT_TRUE(snapshot->flush());
    largest = std::max(largest, content().size());
  }
  EXPECT_GT(largest, limit / 2);
  EXPECT_LE(largest, limit);
  snapshot->record(Serf::Clocks{50'000, 0, 0});
  ASSERT_TRUE(snapshot->flush());
  EXPECT_EQ(open()->restored().clock, 50'000u);
  EXPECT_EQ(open()->restored().alive.size(), 1u);
}

TEST_F(SnapshotTest, does_not_grow_a_line_that_was_cut_off) {
  std::ofstream(path) << "alive: a 10.0.0.1:8946\nalive: b 10.0";
  auto snapshot = open();
  EXPECT_EQ(snapshot->restored().alive.size(), 1u);
  snapshot->record(Serf::Clocks{3, 0, 0});
  ASSERT_TRUE(snapshot->flush());
  EXPECT_EQ(content(), "alive: a 10.0.0.1:8946\nclock: 3\nevent-clock: 0\nquery-clock: 0\n");
}

TEST_F(SnapshotTest, makes_a_failed_write_good) {
  auto snapshot = open();
  snapshot->record(event(MemberEvent::Type::Join, "a"));
  std::filesystem::remove(path);
  std::filesystem::create_directory(path);  // Now the file cannot even be replaced.
  snapshot->record(Serf::Clocks{1, 0, 0});
  for (LamportTime time = 2; time < 20'000; ++time) snapshot->record(Serf::Clocks{time, 0, 0});
  EXPECT_FALSE(snapshot->flush());
  std::filesystem::remove(path);
  ASSERT_TRUE(snapshot->flush());
  EXPECT_EQ(open()->restored().alive.size(), 1u);
  EXPECT_EQ(open()->restored().clock, 19'999u);
}

TEST_F(SnapshotTest, tells_why_it_cannot_be_opened) {
  std::filesystem::create_directory(path);
  EXPECT_FALSE(Snapshot::open(path, AfterLeave::Forget));
}

}  // namespace
}  // namespace dkron::gossip
