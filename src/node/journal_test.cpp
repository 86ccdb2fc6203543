#include "node/journal.h"

#include <gtest/gtest.h>

#include <optional>

#include "node/test_support.h"
#include "process/test_support.h"

namespace dkron::node {
namespace {

using dkron::testing_support::content_of;
using testing_support::FileSizeLimit;

journal::Record starting(std::uint64_t uid) {
  journal::Record record;
  record.mutable_starting()->mutable_key()->set_uid(uid);
  record.mutable_starting()->set_job_name("job");
  return record;
}

std::string framed(std::initializer_list<std::uint64_t> uids) {
  std::string bytes;
  for (const std::uint64_t uid : uids) append_frame(&bytes, starting(uid));
  return bytes;
}

std::vector<std::uint64_t> uids_of(const std::vector<journal::Record>& records) {
  std::vector<std::uint64_t> uids;
  for (const auto& record : records) uids.push_back(record.starting().key().uid());
  return uids;
}

using Uids = std::vector<std::uint64_t>;

TEST(JournalFrames, come_back_as_written) {
  std::size_t valid = 0;
  const std::string bytes = framed({1, 2, 3});
  EXPECT_EQ(uids_of(*parse_frames(bytes, &valid)), (Uids{1, 2, 3}));
  EXPECT_EQ(valid, bytes.size());
  EXPECT_TRUE(parse_frames("", &valid)->empty());
}

TEST(JournalFrames, a_torn_tail_is_cut_wherever_it_was_torn) {
  const std::string whole = framed({1});
  const std::string bytes = framed({1, 2});
  for (std::size_t size = whole.size(); size < bytes.size(); ++size) {
    std::size_t valid = 0;
    const auto records = parse_frames(std::string_view(bytes).substr(0, size), &valid);
    ASSERT_TRUE(records) << size;
    EXPECT_EQ(uids_of(*records), (Uids{1})) << size;
    EXPECT_EQ(valid, whole.size());
  }
}

TEST(JournalFrames, a_tail_of_zeros_or_garbage_is_cut) {
  std::size_t valid = 0;
  EXPECT_EQ(uids_of(*parse_frames(framed({1}) + std::string(5000, '\0'), &valid)), (Uids{1}));
  EXPECT_EQ(uids_of(*parse_frames(framed({1}) + std::string(5000, '\xff'), &valid)), (Uids{1}));
}

TEST(JournalFrames, damage_in_front_of_an_intact_record_is_corrupt_whichever_byte_it_hits) {
  const std::string bytes = framed({1, 2, 3});
  const std::size_t frame = bytes.size() / 3;
  for (std::size_t i = frame; i < 2 * frame; ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x40);
    std::size_t valid = 0;
    const auto records = parse_frames(damaged, &valid);
    ASSERT_FALSE(records) << i;
    EXPECT_EQ(records.error().code, ErrorCode::Corrupt);
  }
}

class JournalTest : public testing::Test {
 protected:
  std::unique_ptr<Journal> open(Journal::OnStall on_stall = nullptr) {
    auto journal = Journal::open(
        path(), loop_.poster(),
        [this](const std::vector<journal::Record>& records) {
          found_ = uids_of(records);
          return records;
        },
        std::move(on_stall));
    EXPECT_TRUE(journal);
    return std::move(*journal);
  }
  Path path() const { return directory_.path() / "journal"; }

  dkron::testing_support::TemporaryDirectory directory_;
  net::Loop loop_;
  Uids found_;
};

TEST_F(JournalTest, is_read_again) {
  {
    const auto journal = open();
    int written = 0;
    for (std::uint64_t uid = 1; uid <= 100; ++uid) {
      journal->append(starting(uid), uid % 2 == 0,
                      [&written, uid, this](const Result<void>& result) {
                        EXPECT_TRUE(result);
                        EXPECT_EQ(++written, static_cast<int>(uid));  // In the order of the calls.
                        if (written == 100) loop_.stop();
                      });
    }
    dkron::testing_support::run_until(loop_, [&] { return written == 100; });
    EXPECT_EQ(journal->size_bytes(), std::filesystem::file_size(path()));
  }
  open();
  ASSERT_EQ(found_.size(), 100U);
  EXPECT_EQ(found_.back(), 100U);
}

TEST_F(JournalTest, writes_what_is_queued_when_it_ends) {
  {
    const auto journal = open();
    for (std::uint64_t uid = 1; uid <= 100; ++uid) journal->append(starting(uid), false, nullptr);
  }
  open();
  EXPECT_EQ(found_.size(), 100U);
}

TEST_F(JournalTest, goes_on_behind_a_torn_tail) {
  std::ofstream(path(), std::ios::binary) << framed({1, 2}).substr(0, framed({1}).size() + 5);
  open()->append(starting(3), false, nullptr);
  open();
  EXPECT_EQ(found_, (Uids{1, 3}));
}

TEST_F(JournalTest, does_not_open_a_damaged_file) {
  std::string bytes = framed({1, 2});
  bytes[14] = static_cast<char>(bytes[14] ^ 1);
  std::ofstream(path(), std::ios::binary) << bytes;
  const auto journal =
      Journal::open(path(), loop_.poster(), [](const auto& records) { return records; });
  ASSERT_FALSE(journal);
  EXPECT_EQ(journal.error().code, ErrorCode::Corrupt);
  EXPECT_EQ(content_of(path()), bytes);  // Left for people to look at.
}

TEST_F(JournalTest, a_rewrite_stands_between_the_appends) {
  {
    const auto journal = open();
    journal->append(starting(1), false, nullptr);
    journal->rewrite([] { return std::vector<journal::Record>{starting(10)}; });
    journal->append(starting(2), false, nullptr);
  }
  open();
  EXPECT_EQ(found_, (Uids{10, 2}));
}

TEST_F(JournalTest, says_when_a_rewrite_pays) {
  const auto journal = open();
  journal::Record large = starting(1);
  large.mutable_starting()->set_job_name(std::string(Journal::kRecordLimitBytes / 2, 'x'));
  EXPECT_FALSE(journal->is_bloated());
  int written = 0;
  for (int i = 0; i < 17; ++i) {
    journal->append(large, false, [&](const Result<void>&) {
      if (++written == 17) loop_.stop();
    });
  }
  dkron::testing_support::run_until(loop_, [&] { return written == 17; });
  EXPECT_TRUE(journal->is_bloated());
}

TEST_F(JournalTest, keeps_what_cannot_be_written_until_it_can_and_in_order) {
  std::vector<bool> stalls;
  const auto wait_for_stalls = [&](std::size_t count) {
    dkron::testing_support::run_until(loop_, [&] { return stalls.size() >= count; });
  };
  int written = 0;
  {
    const auto journal = open([&](bool stalled) {
      stalls.push_back(stalled);
      loop_.stop();
    });
    std::optional<FileSizeLimit> limit(1000);
    journal::Record large = starting(1);
    large.mutable_starting()->set_job_name(std::string(5000, 'x'));
    const auto count = [&](const Result<void>& result) {
      EXPECT_TRUE(result);
      ++written;
      loop_.stop();
    };
    journal->append(large, true, count);
    journal->append(starting(2), false, nullptr);
    wait_for_stalls(1);
    EXPECT_EQ(written, 0);
    EXPECT_EQ(std::filesystem::file_size(path()), 0U);  // Half a record was cut off.
    journal->append(starting(3), true, count);
    limit.reset();
    wait_for_stalls(2);
    dkron::testing_support::run_until(loop_, [&] { return written == 2; });
    EXPECT_EQ(stalls, (std::vector<bool>{true, false}));
  }
  open();
  EXPECT_EQ(found_, (Uids{1, 2, 3}));
}

TEST_F(JournalTest, says_at_its_end_what_could_not_be_written) {
  std::optional<Result<void>> result;
  const FileSizeLimit limit(1);
  open()->append(starting(1), true, [&](const Result<void>& r) {
    result = r;
    loop_.stop();
  });
  dkron::testing_support::run_until(loop_, [&] { return result.has_value(); });
  EXPECT_FALSE(*result);
}

TEST_F(JournalTest, a_rewrite_that_fails_leaves_the_appends_as_they_are) {
  {
    const auto journal = open();
    int written = 0;
    const auto count = [&](const Result<void>& result) {
      EXPECT_TRUE(result);
      ++written;
      loop_.stop();
    };
    journal->append(starting(1), true, count);
    dkron::testing_support::run_until(loop_, [&] { return written == 1; });
    // Room for a few small records, not for what the rewrite makes.
    const FileSizeLimit limit(journal->size_bytes() + 1000);
    journal->rewrite([] {
      journal::Record large = starting(10);
      large.mutable_starting()->set_job_name(std::string(5000, 'x'));
      return std::vector<journal::Record>{large};
    });
    journal->append(starting(2), true, count);
    dkron::testing_support::run_until(loop_, [&] { return written == 2; });
  }
  open();
  EXPECT_EQ(found_, (Uids{1, 2}));
}

}  // namespace
}  // namespace dkron::node
