#include <gtest/gtest.h>
#include <sys/stat.h>

#include "node/node_runs.h"
#include "process/test_support.h"

namespace dkron::node {
namespace {

class OutputTest : public testing::Test {
 protected:
  CollectedOutput collect(const std::string& written, const executor::RunResult& result) {
    std::ofstream(path(), std::ios::binary) << written;
    return collect_output(path(), result);
  }
  Path path() const { return directory_.path() / "spool"; }
  testing_support::TemporaryDirectory directory_;
};

TEST_F(OutputTest, is_what_the_run_wrote) {
  const auto output = collect("hello\n", {true, "", ""});
  EXPECT_EQ(output.text, "hello\n");
  EXPECT_EQ(output.total_bytes, 6U);
  EXPECT_FALSE(output.truncated);
}

TEST_F(OutputTest, begins_with_the_error_and_ends_with_the_note) {
  EXPECT_EQ(collect("a\n", {false, "signal: killed", "note"}).text, "signal: killed\na\nnote");
  EXPECT_EQ(collect("a", {false, "signal: killed", "note"}).text, "signal: killed\na\nnote");
  EXPECT_EQ(collect("", {false, "exit status 1", ""}).text, "exit status 1\n");
}

TEST_F(OutputTest, of_a_run_that_wrote_no_file_is_its_error) {
  EXPECT_EQ(collect_output(directory_.path() / "none", {false, "nope", ""}).text, "nope\n");
}

TEST_F(OutputTest, keeps_exactly_the_limit) {
  const std::string all(executor::kOutputLimitBytes, 'x');
  const auto whole = collect(all, {true, "", ""});
  EXPECT_EQ(whole.text, all);
  EXPECT_FALSE(whole.truncated);
  const auto cut = collect("y" + all, {true, "", ""});
  EXPECT_EQ(cut.text, all);
  EXPECT_EQ(cut.total_bytes, executor::kOutputLimitBytes + 1);
  EXPECT_TRUE(cut.truncated);
}

TEST_F(OutputTest, keeps_the_error_line_and_the_note_of_a_long_output) {
  const auto output = collect(std::string(300'000, 'x') + "END", {false, "exit status 1", "note"});
  EXPECT_EQ(output.text.size(), executor::kOutputLimitBytes);
  EXPECT_TRUE(output.text.starts_with("exit status 1\nxx"));
  EXPECT_TRUE(output.text.ends_with("ENDnote")) << output.text.substr(output.text.size() - 10);
}

TEST_F(OutputTest, cuts_an_error_that_is_longer_than_the_limit) {
  const auto output = collect("body", {false, std::string(300'000, 'e'), "note"});
  EXPECT_EQ(output.text.size(), executor::kOutputLimitBytes);
}

TEST_F(OutputTest, a_long_file_is_shortened_at_its_head_only) {
  const std::string written = std::string(SpoolKeeper::kSpoolLimitBytes + 100'000, 'x') + "END";
  std::ofstream(path(), std::ios::binary) << written;
  EXPECT_TRUE(shorten_spool(path()));
  struct stat status {};
  ASSERT_EQ(::stat(path().c_str(), &status), 0);
  EXPECT_EQ(static_cast<std::size_t>(status.st_size), written.size());
  EXPECT_LE(static_cast<std::uint64_t>(status.st_blocks) * 512,
            SpoolKeeper::kSpoolKeptBytes + 64 * 1024);
  const auto output = collect_output(path(), {true, "", ""});
  EXPECT_EQ(output.text, written.substr(written.size() - executor::kOutputLimitBytes));
  EXPECT_EQ(output.total_bytes, written.size());
  EXPECT_FALSE(shorten_spool(path()));
}

TEST_F(OutputTest, leaves_a_short_file_alone) {
  std::ofstream(path(), std::ios::binary) << std::string(1'000'000, 'x');
  EXPECT_FALSE(shorten_spool(path()));
  EXPECT_FALSE(shorten_spool(directory_.path() / "none"));
}

TEST_F(OutputTest, knows_whether_a_file_has_a_writer) {
  std::ofstream writer(path());
  EXPECT_TRUE(has_writer(path()));
  writer.close();
  EXPECT_FALSE(has_writer(path()));
  EXPECT_FALSE(has_writer(directory_.path() / "none"));
}

}  // namespace
}  // namespace dkron::node
