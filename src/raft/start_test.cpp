// What Node::open() refuses, and with which words.
#include <gtest/gtest.h>

#include "raft/log_files.h"
#include "raft/test_support.h"

namespace dkron::raft {
namespace {

using testing::files_with_prefix;
using testing::TemporaryDirectory;
using testing::TestNode;

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(Start, a_second_process_on_the_directory_is_refused) {
  TemporaryDirectory directory;
  TestNode first(directory.path());
  ASSERT_TRUE(first.open());
  TestNode second(directory.path());
  EXPECT_EQ(second.open().error().code, ErrorCode::Conflict);
  first.node->close();
  EXPECT_TRUE(second.open());
}

TEST(Start, another_node_name_is_refused_with_both_names_and_both_ways_out) {
  TemporaryDirectory directory;
  std::uint64_t cluster_id = 0;
  {
    TestNode first(directory.path(), "old-name");
    ASSERT_TRUE(first.open());
    cluster_id = first.node->identity().cluster_id;
    EXPECT_NE(cluster_id, 0u);
    first.node->close();
  }
  TestNode second(directory.path(), "new-name");
  auto opened = second.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::Conflict);
  EXPECT_TRUE(contains(opened.error().message, "\"old-name\""));
  EXPECT_TRUE(contains(opened.error().message, "\"new-name\""));
  EXPECT_TRUE(contains(opened.error().message, "--node-name old-name"));
  EXPECT_TRUE(contains(opened.error().message, "remove-peer"));

  TestNode third(directory.path(), "old-name");
  ASSERT_TRUE(third.open());
  EXPECT_EQ(third.node->identity().cluster_id, cluster_id);
}

TEST(Start, a_log_without_identity_and_a_damaged_identity_are_refused) {
  TemporaryDirectory directory;
  const Path identity = directory.path() / "identity.json";
  {
    TestNode server(directory.path());
    ASSERT_TRUE(server.open());
    server.node->close();
  }
  ASSERT_TRUE(write_file_durably(identity, "{\"node_name\": \"node1\", \"cluster_id\": 5}"));
  TestNode server(directory.path());
  EXPECT_EQ(server.open().error().code, ErrorCode::Corrupt);
  std::filesystem::remove(identity);
  EXPECT_EQ(server.open().error().code, ErrorCode::Corrupt);
}

// A copy of a data directory as a kill would leave it: the node still runs on the original.
void copy_directory(const Path& from, const Path& to) {
  std::filesystem::copy(from, to, std::filesystem::copy_options::recursive);
}

TEST(Start, damage_in_an_open_segment_is_found_and_the_lost_range_named) {
  TemporaryDirectory directory;
  const Path original = directory.path() / "original";
  TestNode server(original);
  ASSERT_TRUE(server.open());
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(server.propose("value" + std::to_string(i)));
  const std::uint64_t last = server.machine->applied_index();

  const Path intact = directory.path() / "intact";
  copy_directory(original, intact);
  TestNode killed(intact);
  auto opened = killed.open();
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ(killed.machine->values().size(), 30u);

  const Path damaged = directory.path() / "damaged";
  copy_directory(original, damaged);
  testing::flip_byte(files_with_prefix(damaged / "raft", "open-").front(), 1500);
  TestNode broken(damaged);
  opened = broken.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::Corrupt);
  EXPECT_TRUE(contains(opened.error().message, " to " + std::to_string(last) + " are lost"))
      << opened.error().message;
  EXPECT_EQ(files_with_prefix(damaged / "raft", "unclean-").size(), 1u);
  EXPECT_EQ(broken.open().error().code, ErrorCode::Corrupt) << "it stays refused";
}

TEST(Start, the_record_of_a_clean_end_guards_the_log_without_help_of_the_state) {
  TemporaryDirectory directory;
  TestNode server(directory.path());
  ASSERT_TRUE(server.open());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(server.propose("value"));
  server.node->close();
  auto acknowledged = read_acknowledged(directory.path() / "raft");
  ASSERT_TRUE(acknowledged);
  EXPECT_GE(*acknowledged, 11u);
  std::filesystem::remove(directory.path() / "state");
  for (const Path& file : files_with_prefix(directory.path() / "raft", "0000")) {
    std::filesystem::remove(file);
  }
  EXPECT_EQ(server.open().error().code, ErrorCode::Corrupt);
}

TEST(Start, damage_in_a_closed_segment_is_refused) {
  TemporaryDirectory directory;
  TestNode server(directory.path());
  ASSERT_TRUE(server.open());
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(server.propose("value"));
  server.node->close();
  const auto segments = files_with_prefix(directory.path() / "raft", "0000");
  ASSERT_FALSE(segments.empty());
  testing::flip_byte(segments.back(), 1500);
  auto opened = server.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::Corrupt);
  EXPECT_TRUE(contains(opened.error().message, "damaged")) << opened.error().message;
}

TEST(Start, damage_in_a_snapshot_is_refused) {
  TemporaryDirectory directory;
  TestNode server(directory.path());
  ASSERT_TRUE(server.open());
  ASSERT_TRUE(server.propose("value"));
  ASSERT_TRUE(server.snapshot());
  server.node->close();
  for (const Path& file : files_with_prefix(directory.path() / "raft", "snapshot-")) {
    if (file.extension() != ".meta") testing::flip_byte(file, 20);
  }
  auto opened = server.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::Corrupt);
  EXPECT_TRUE(contains(opened.error().message, "snapshot")) << opened.error().message;
}

TEST(Start, keeps_two_copies_of_open_segments_and_none_of_empty_ones) {
  TemporaryDirectory directory;
  EXPECT_FALSE(*save_open_segments(directory.path(), Instant::from_unix(1)));
  ASSERT_TRUE(write_file_durably(directory.path() / "open-1", std::string(100000, '\0')));
  EXPECT_FALSE(*save_open_segments(directory.path(), Instant::from_unix(2)));
  EXPECT_TRUE(files_with_prefix(directory.path(), "unclean-").empty());
  const std::string content = std::string(70000, '\0') + "data" + std::string(70000, '\0');
  ASSERT_TRUE(write_file_durably(directory.path() / "open-2", content));
  for (int i = 3; i < 8; ++i) {
    EXPECT_TRUE(*save_open_segments(directory.path(), Instant::from_unix(i)));
  }
  const auto copies = files_with_prefix(directory.path(), "unclean-");
  ASSERT_EQ(copies.size(), kUncleanCopies);
  EXPECT_EQ(*read_file(copies.back() / "open-2", 1 << 20), content);
}

TEST(Start, a_damaged_record_of_the_last_end_is_refused) {
  TemporaryDirectory directory;
  EXPECT_EQ(*read_acknowledged(directory.path()), 0u);
  ASSERT_TRUE(write_acknowledged(directory.path(), 12345));
  EXPECT_EQ(*read_acknowledged(directory.path()), 12345u);
  testing::flip_byte(directory.path() / "acknowledged", 22);
  EXPECT_EQ(read_acknowledged(directory.path()).error().code, ErrorCode::Corrupt);
  ASSERT_TRUE(remove_acknowledged(directory.path()));
  ASSERT_TRUE(remove_acknowledged(directory.path()));
}

}  // namespace
}  // namespace dkron::raft
