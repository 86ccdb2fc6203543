#include "base/file.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace dkron {
namespace {

class FileTest : public testing::Test {
 protected:
  FileTest() {
    char name[] = "/tmp/dkron-file-XXXXXX";
    directory_ = ::mkdtemp(name);
  }
  ~FileTest() override { std::filesystem::remove_all(directory_); }
  Path directory_;
};

TEST_F(FileTest, replaces_a_file_as_a_whole) {
  const Path path = directory_ / "a";
  ASSERT_TRUE(write_file_durably(path, "one"));
  ASSERT_TRUE(write_file_durably(path, "two"));
  EXPECT_EQ(*read_file(path, 10), "two");
  EXPECT_EQ(read_file(path, 2).error().code, ErrorCode::TooLarge);
  EXPECT_EQ(read_file(directory_ / "b", 2).error().code, ErrorCode::NotFound);
}

TEST_F(FileTest, a_second_lock_is_refused) {
  auto first = lock_file(directory_ / "LOCK");
  ASSERT_TRUE(first);
  EXPECT_EQ(lock_file(directory_ / "LOCK").error().code, ErrorCode::Conflict);
  first->reset();
  EXPECT_TRUE(lock_file(directory_ / "LOCK"));
}

TEST_F(FileTest, makes_the_whole_path) {
  ASSERT_TRUE(make_directories(directory_ / "x/y/z"));
  ASSERT_TRUE(make_directories(directory_ / "x/y/z"));
  ASSERT_TRUE(write_file_durably(directory_ / "x/f", ""));
  EXPECT_FALSE(make_directories(directory_ / "x/f/g"));
}

}  // namespace
}  // namespace dkron
