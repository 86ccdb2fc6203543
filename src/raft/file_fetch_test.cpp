// Both ends of a transfer over a socket pair, without nodes.
#include "raft/file_fetch.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <thread>

#include "base/checksum.h"
#include "raft/snapshot_senders.h"
#include "raft/test_support.h"

namespace dkron::raft {
namespace {

std::string content(std::size_t size, char salt) {
  std::string text(size, salt);
  for (std::size_t i = 0; i < size; i += 7) text[i] = static_cast<char>('a' + i % 26);
  return text;
}

// A sender with the files "big", "small" and "empty", and a receiver with a directory.
class FileFetchTest : public ::testing::Test {
 protected:
  FileFetchTest() {
    for (const Path& path : {source_.directory, target_.directory, donor_}) {
      if (!make_directories(path)) std::abort();
    }
    add("big", content(3'000'000, 'x'), true);
    add("small", "hello", false);
    add("empty", "", true);
    target_.donors = {donor_, directory_.path() / "missing"};
  }

  void add(const std::string& name, const std::string& text, bool is_immutable) {
    write(source_.directory / name, text);
    source_.files.push_back({name, text.size(), is_immutable});
    target_.files.push_back({name, text.size(), is_immutable});
  }
  static void write(const Path& path, const std::string& text) {
    if (!write_file_durably(path, text)) std::abort();
  }
  std::string received(const std::string& name) {
    return read_file(target_.directory / name, 1 << 30).value_or("missing");
  }

  Result<void> fetch() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
    TransferSocket sender{UniqueFd(ends[0])};
    std::thread thread([&] {
      served_ = serve_files(sender, source_);
      sender.abort();
    });
    Result<void> result;
    {
      TransferSocket socket{UniqueFd(ends[1])};
      result = FileFetch(socket, target_, "sender").run();
    }
    thread.join();
    return result;
  }

  testing::TemporaryDirectory directory_;
  const Path donor_ = directory_.path() / "donor";
  SnapshotSource source_{directory_.path() / "source", {}, nullptr};
  SnapshotTarget target_{directory_.path() / "target", {}, {}};
  Result<void> served_;
};

TEST_F(FileFetchTest, brings_every_file_and_leaves_nothing_else) {
  write(target_.directory / "stranger", "of another snapshot");
  const auto fetched = fetch();
  ASSERT_TRUE(fetched) << fetched.error().message;
  EXPECT_TRUE(served_);
  EXPECT_EQ(received("big"), content(3'000'000, 'x'));
  EXPECT_EQ(received("small"), "hello");
  EXPECT_EQ(received("empty"), "");
  EXPECT_EQ(testing::files_with_prefix(target_.directory, "").size(), 3u);
}

TEST_F(FileFetchTest, links_what_a_donor_has_when_the_bytes_agree) {
  write(donor_ / "big", content(3'000'000, 'x'));
  write(donor_ / "small", "hello");
  ASSERT_TRUE(fetch());
  struct stat ours = {};
  struct stat theirs = {};
  ASSERT_EQ(::stat((target_.directory / "big").c_str(), &ours), 0);
  ASSERT_EQ(::stat((donor_ / "big").c_str(), &theirs), 0);
  EXPECT_EQ(ours.st_ino, theirs.st_ino);
  ASSERT_EQ(::stat((target_.directory / "small").c_str(), &ours), 0);
  ASSERT_EQ(::stat((donor_ / "small").c_str(), &theirs), 0);
  EXPECT_NE(ours.st_ino, theirs.st_ino) << "this one may change";
}

TEST_F(FileFetchTest, a_donor_with_other_bytes_is_left_alone) {
  const std::string other = content(3'000'000, 'y');
  write(donor_ / "big", other);
  ASSERT_TRUE(fetch());
  EXPECT_EQ(received("big"), content(3'000'000, 'x'));
  EXPECT_EQ(*read_file(donor_ / "big", 1 << 30), other);
}

TEST_F(FileFetchTest, goes_on_where_a_part_ends_and_keeps_whole_files) {
  // The sender could not give these bytes any more: only the rest is asked for.
  const std::string whole = content(3'000'000, 'x');
  write(target_.directory / "big.part", whole.substr(0, 2'000'000));
  write(target_.directory / "small", "hello");
  ASSERT_TRUE(fetch());
  EXPECT_EQ(received("big"), whole);
  EXPECT_EQ(received("small"), "hello");
}

TEST_F(FileFetchTest, a_part_of_other_bytes_is_thrown_away) {
  write(target_.directory / "big.part", content(2'000'000, 'z'));
  write(target_.directory / "empty.part", "too long");
  const auto fetched = fetch();
  ASSERT_TRUE(fetched) << fetched.error().message;
  EXPECT_EQ(received("big"), content(3'000'000, 'x'));
  EXPECT_EQ(received("empty"), "");
}

TEST_F(FileFetchTest, a_file_of_another_size_than_the_manifest_says_is_refused) {
  target_.files[0].size_bytes += 1;
  EXPECT_EQ(fetch().error().code, ErrorCode::Corrupt);
  EXPECT_EQ(received("small"), "missing");
}

TEST_F(FileFetchTest, a_file_that_is_not_in_the_manifest_is_not_given) {
  target_.files.push_back({"more", 1, false});
  EXPECT_FALSE(fetch());
  EXPECT_FALSE(served_);
}

TEST_F(FileFetchTest, a_sender_whose_bytes_never_fit_its_checksum_is_given_up) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  TransferSocket liar{UniqueFd(ends[0])};
  int contents = 0;
  std::thread thread([&] {
    for (;;) {
      auto request = liar.receive_request();
      if (!request) return;
      if (request->what == FileRequest::What::Checksum) {
        if (!liar.send(FileSum{3'000'000, 4711})) return;
      } else {
        ++contents;
        if (!liar.send(content(3'000'000, 'x'))) return;
      }
    }
  });
  {
    TransferSocket socket{UniqueFd(ends[1])};
    const auto fetched = FileFetch(socket, target_, "liar").run();
    EXPECT_EQ(fetched.error().code, ErrorCode::Corrupt);
  }
  thread.join();
  EXPECT_EQ(contents, FileFetch::kAttempts);
  EXPECT_EQ(received("big"), "missing");
}

}  // namespace
}  // namespace dkron::raft
