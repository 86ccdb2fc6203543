#include "gossip/snapshot_file.h"

#include <gtest/gtest.h>

#include "codec/test_golden.h"

namespace dkron::gossip {
namespace {

using dkron::testing_support::read_golden;

SnapshotRecords parsed(std::string_view text, AfterLeave after_leave = AfterLeave::Forget) {
  const auto records = parse_snapshot(text, after_leave);
  EXPECT_TRUE(records);
  return records.value_or(SnapshotRecords{});
}

TEST(SnapshotFile, of_a_node_that_left_remembers_only_what_came_after) {
  const SnapshotRecords records = parsed(read_golden("snapshot_sample.txt"));
  EXPECT_TRUE(records.alive.empty());
  EXPECT_TRUE(records.has_left);
  EXPECT_EQ(records.clock, 10u);
  EXPECT_EQ(records.event_clock, 0u);
  EXPECT_EQ(records.query_clock, 0u);
  EXPECT_EQ(records.unreadable, 0u);
}

TEST(SnapshotFile, of_a_node_that_will_rejoin_remembers_all) {
  const SnapshotRecords records = parsed(read_golden("snapshot_sample.txt"), AfterLeave::Rejoin);
  EXPECT_EQ(records.alive, (std::map<std::string, std::string>{{"node-a", "127.0.0.1:22001"}}));
  EXPECT_EQ(records.clock, 10u);
  EXPECT_EQ(records.event_clock, 3u);
  EXPECT_EQ(records.query_clock, 6u);
}

TEST(SnapshotFile, is_back_when_a_member_comes_to_life_after_the_leave) {
  EXPECT_TRUE(parsed("alive: a 1:1\nleave\nclock: 3\n").has_left);
  EXPECT_FALSE(parsed("leave\nalive: a 1:1\n").has_left);
}

TEST(SnapshotFile, takes_the_address_from_behind_the_last_blank) {
  EXPECT_EQ(parsed("alive: a name 10.0.0.1:8946\n").alive.at("a name"), "10.0.0.1:8946");
}

TEST(SnapshotFile, goes_on_after_lines_that_are_no_records) {
  const SnapshotRecords records = parsed(
      "# a comment\ncoordinate: {}\nalive: nameless\nclock: -1\nclock: 1x\n"
      "event-clock: 99999999999999999999\nwhat\n\nclock: 7\n");
  EXPECT_EQ(records.clock, 7u);
  EXPECT_EQ(records.unreadable, 6u);
}

TEST(SnapshotFile, leaves_out_a_last_line_that_was_cut_off) {
  EXPECT_EQ(parsed("clock: 1\nclock: 12").clock, 1u);
  EXPECT_TRUE(parsed("alive: a 1:1\nleave").alive.contains("a"));
}

TEST(SnapshotFile, is_bounded_in_bytes_and_lines) {
  const std::string lines(kMaxSnapshotLines + 1, '\n');
  const auto records = parse_snapshot(lines, AfterLeave::Forget);
  ASSERT_FALSE(records);
  EXPECT_EQ(records.error().code, ErrorCode::TooLarge);
  const std::string bytes(kMaxSnapshotBytes + 1, 'x');
  EXPECT_FALSE(parse_snapshot(bytes, AfterLeave::Forget));
}

TEST(SnapshotFile, reads_what_its_lines_say) {
  const std::string text = snapshot_alive_line("a", "1.2.3.4:5") + snapshot_alive_line("b", "x:6") +
                           snapshot_not_alive_line("b") + snapshot_clock_line(1) +
                           snapshot_event_clock_line(2) + snapshot_query_clock_line(3);
  EXPECT_EQ(text,
            "alive: a 1.2.3.4:5\nalive: b x:6\nnot-alive: b\nclock: 1\nevent-clock: 2\n"
            "query-clock: 3\n");
  EXPECT_EQ(compact_snapshot(parsed(text)),
            "alive: a 1.2.3.4:5\nclock: 1\nevent-clock: 2\nquery-clock: 3\n");
  EXPECT_EQ(compact_snapshot(parsed(text + snapshot_leave_line())),
            "clock: 0\nevent-clock: 0\nquery-clock: 0\n");
}

TEST(SnapshotFile, gives_no_name_a_second_line) {
  EXPECT_EQ(snapshot_alive_line("a\nleave", "1.2.3.4:5"), "");
  EXPECT_EQ(snapshot_alive_line("a", "1.2.3.4:5\nleave"), "");
  EXPECT_EQ(snapshot_not_alive_line("a\nleave"), "");
}

TEST(SnapshotFile, is_compacted_later_the_more_nodes_there_are) {
  EXPECT_EQ(snapshot_compaction_bytes(3), 128u << 10);
  EXPECT_EQ(snapshot_compaction_bytes(10'000), 2'560'000u);
}

}  // namespace
}  // namespace dkron::gossip
