#include "process/capture.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>

#include "process/test_support.h"

namespace dkron::process {
namespace {

std::vector<std::string> shell(const std::string& line) {
  return {"/bin/sh", "-c", line};
}

TEST(RunCaptured, gives_output_errors_and_exit_status_apart) {
  const auto captured = run_captured(shell("echo out; echo err >&2; exit 3"), {});
  ASSERT_TRUE(captured) << captured.error().message;
  EXPECT_EQ(captured->output, "out\n");
  EXPECT_EQ(captured->errors, "err\n");
  EXPECT_EQ(captured->status.code, 3);
}

TEST(RunCaptured, tells_the_signal_that_ended_the_command) {
  const auto captured = run_captured(shell("kill -TERM $$"), {});
  ASSERT_TRUE(captured) << captured.error().message;
  EXPECT_EQ(captured->status.signal, SIGTERM);
}

TEST(RunCaptured, passes_the_environment_and_an_empty_stdin) {
  const auto captured = run_captured(shell("cat; echo \"$PATH\""), {});
  ASSERT_TRUE(captured) << captured.error().message;
  EXPECT_EQ(captured->output, std::string(std::getenv("PATH")) + "\n");
}

TEST(RunCaptured, kills_a_command_that_writes_too_much) {
  CaptureLimits limits;
  limits.timeout = seconds(30);
  limits.output_bytes = 1000;
  const auto captured = run_captured(shell("while :; do echo 0123456789; done"), limits);
  ASSERT_FALSE(captured);
  EXPECT_EQ(captured.error().code, ErrorCode::TooLarge);
  EXPECT_EQ(captured.error().message, "more than 1000 bytes of output");
}

TEST(RunCaptured, takes_output_of_exactly_the_limit) {
  CaptureLimits limits;
  limits.output_bytes = 5;
  const auto captured = run_captured(shell("printf 12345"), limits);
  ASSERT_TRUE(captured) << captured.error().message;
  EXPECT_EQ(captured->output, "12345");
}

TEST(RunCaptured, drops_what_is_too_much_on_stderr_and_lets_the_command_end) {
  CaptureLimits limits;
  limits.timeout = seconds(30);
  limits.error_bytes = 3;
  const auto captured =
      run_captured(shell("head -c 300000 /dev/zero | tr '\\0' x >&2; echo done"), limits);
  ASSERT_TRUE(captured) << captured.error().message;
  EXPECT_EQ(captured->errors, "xxx");
  EXPECT_EQ(captured->output, "done\n");
}

TEST(RunCaptured, kills_a_command_that_does_not_end_in_time) {
  CaptureLimits limits;
  limits.timeout = milliseconds(50);
  const auto captured = run_captured(shell("sleep 1000"), limits);
  ASSERT_FALSE(captured);
  EXPECT_EQ(captured.error().code, ErrorCode::Timeout);
  EXPECT_EQ(captured.error().message, "no end within 50ms");
}

TEST(RunCaptured, leaves_nothing_running_behind_a_command_that_ended) {
  CaptureLimits limits;
  limits.timeout = seconds(30);
  const auto captured = run_captured(shell("sleep 1000 & echo $!"), limits);
  ASSERT_TRUE(captured) << captured.error().message;
  const pid_t left_behind = std::stoi(captured->output);
  EXPECT_TRUE(testing_support::wait_for_end(left_behind));
}

TEST(RunCaptured, says_why_a_command_cannot_be_started) {
  const auto captured = run_captured({"no-such-program-anywhere"}, {});
  ASSERT_FALSE(captured);
  EXPECT_EQ(captured.error().message,
            "exec: \"no-such-program-anywhere\": executable file not found in $PATH");
}

}  // namespace
}  // namespace dkron::process
