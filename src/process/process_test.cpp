#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "process/process.h"
#include "process/test_support.h"

namespace dkron::process {
namespace {

using testing_support::TemporaryDirectory;
using testing_support::wait_for_end;

class ProcessTest : public testing::Test {
 protected:
  void run_until(const std::function<bool()>& done) { testing_support::run_until(loop_, done); }
  void wake() { loop_.stop(); }

  Command command(std::vector<std::string> argv) {
    Command c;
    c.argv = std::move(argv);
    c.environment = {"PATH=/usr/bin:/bin"};
    c.output_path = output_path();
    return c;
  }
  Path output_path() const { return directory_.path() / "output"; }
  std::string output() const { return testing_support::content_of(output_path()); }

  struct End {
    std::string error;  // Of the start.
    ExitStatus status;
  };
  // Runs one command to its end.
  End run(Command c) {
    End end;
    bool is_over = false;
    spawner_->spawn(std::move(c), {[&](Result<std::unique_ptr<Child>> started) {
                                     if (started) {
                                       child_ = std::move(*started);
                                       return;
                                     }
                                     end.error = started.error().message;
                                     is_over = true;
                                     wake();
                                   },
                                   [&](ExitStatus status) {
                                     end.status = status;
                                     is_over = true;
                                     wake();
                                   }});
    run_until([&] { return is_over; });
    return end;
  }
  // Starts one command and returns when it runs.
  void start(Command c) {
    exited_ = false;
    spawner_->spawn(std::move(c), {[&](Result<std::unique_ptr<Child>> started) {
                                     child_ = std::move(*started);
                                     wake();
                                   },
                                   [&](ExitStatus status) {
                                     status_ = status;
                                     exited_ = true;
                                     wake();
                                   }});
    run_until([&] { return child_ != nullptr; });
  }
  TemporaryDirectory directory_;
  net::Loop loop_;
  std::unique_ptr<Spawner> spawner_ = std::make_unique<Spawner>(loop_);
  std::unique_ptr<Child> child_;
  ExitStatus status_;
  bool exited_ = false;
};

TEST_F(ProcessTest, runs_a_program_to_its_end) {
  const End end = run(command({"echo", "hello world"}));
  EXPECT_EQ(end.error, "");
  EXPECT_TRUE(end.status.success());
  EXPECT_EQ(output(), "hello world\n");
}

TEST_F(ProcessTest, tells_the_exit_code_and_the_signal_in_gos_words) {
  EXPECT_EQ(describe(run(command({"sh", "-c", "exit 3"})).status), "exit status 3");
  EXPECT_EQ(describe(run(command({"sh", "-c", "kill -9 $$"})).status), "signal: killed");
  EXPECT_EQ(describe(run(command({"sh", "-c", "kill -15 $$"})).status), "signal: terminated");
  EXPECT_EQ(describe({0, 11, true}), "signal: segmentation fault (core dumped)");
  EXPECT_EQ(describe({0, 31, false}), "signal: signal 31");
  EXPECT_EQ(describe({0, 0, false}), "");
}

TEST_F(ProcessTest, reports_what_cannot_be_started) {
  EXPECT_EQ(run(command({"nope"})).error, "exec: \"nope\": executable file not found in $PATH");
  EXPECT_EQ(run(command({""})).error, "exec: no command");
  EXPECT_EQ(run(command({"/no/such/program"})).error,
            "fork/exec /no/such/program: no such file or directory");
  const std::string plain = directory_.path() / "plain";
  std::ofstream(plain) << "no program";
  EXPECT_EQ(run(command({plain})).error, "fork/exec " + plain + ": permission denied");
  ::chmod(plain.c_str(), 0700);
  EXPECT_EQ(run(command({plain})).error, "fork/exec " + plain + ": exec format error");
  EXPECT_EQ(run(command({"true", std::string("a\0b", 3)})).error,
            "fork/exec " + *find_program("true") + ": invalid argument");
  EXPECT_EQ(run(command({"true", std::string(3'000'000, 'x')})).error,
            "fork/exec " + *find_program("true") + ": argument list too long");
  Command bad_environment = command({"true"});
  bad_environment.environment.push_back(std::string("A=\0", 3));
  EXPECT_EQ(run(std::move(bad_environment)).error, "exec: environment variable contains NUL");
}

TEST_F(ProcessTest, reports_a_missing_working_directory_as_dkron_does) {
  Command c = command({"pwd"});
  c.working_directory = "/no/such/dir";
  EXPECT_EQ(run(std::move(c)).error,
            "fork/exec " + *find_program("pwd") + ": no such file or directory");
}

TEST_F(ProcessTest, reports_an_output_file_that_cannot_be_written) {
  Command c = command({"true"});
  c.output_path = "/no/such/dir/output";
  EXPECT_EQ(run(std::move(c)).error.substr(0, 28), "cannot open the output file:");
}

TEST_F(ProcessTest, gives_environment_and_working_directory_and_nothing_else) {
  Command c = command({"sh", "-c", "pwd; env | sort"});
  c.environment = {"PATH=/usr/bin:/bin", "B=two words"};
  c.working_directory = "/usr";
  run(std::move(c));
  EXPECT_EQ(output(), "/usr\nB=two words\nPATH=/usr/bin:/bin\nPWD=/usr\n");
}

TEST_F(ProcessTest, passes_no_descriptor_but_the_three) {
  // Deliberately without close-on-exec, as a careless library would leave it.
  const int leaked = ::open("/dev/zero", O_RDONLY);
  run(command({"sh", "-c", "cd /proc/$$/fd && echo *"}));
  ::close(leaked);
  // The shell may hold one of its own above 9.
  EXPECT_EQ(output().substr(0, 5), "0 1 2");
  EXPECT_EQ(output().find(" " + std::to_string(leaked) + " "), std::string::npos);
}

TEST_F(ProcessTest, resets_signals_and_leads_its_own_session) {
  ::signal(SIGPIPE, SIG_IGN);
  run(command({"sh", "-c",
               "read -r a b c d pgrp session rest < /proc/$$/stat; "
               "test $pgrp = $$ && test $session = $$ && echo leads; "
               "grep -E 'Sig(Blk|Ign)' /proc/self/status"}));
  ::signal(SIGPIPE, SIG_DFL);
  const std::string text = output();
  EXPECT_EQ(text.substr(0, 31), "leads\nSigBlk:\t0000000000000000\n");
  // Above 31 are the C library's own ones.
  EXPECT_EQ(std::stoull(text.substr(text.find("SigIgn:") + 8), nullptr, 16) & 0x7fffffffU, 0U);
}

TEST_F(ProcessTest, gives_a_megabyte_of_input_then_end_of_file) {
  Command c = command({"wc", "-c"});
  c.input = std::string(1'000'000, 'x');
  run(std::move(c));
  EXPECT_EQ(output(), "1000000\n");
  EXPECT_TRUE(run(command({"cat"})).status.success());  // No input: the end of file at once.
}

TEST_F(ProcessTest, does_not_wait_for_a_reader_of_the_input) {
  Command c = command({"true"});
  c.input = std::string(1'000'000, 'x');
  EXPECT_TRUE(run(std::move(c)).status.success());
}

TEST_F(ProcessTest, appends_to_the_output_and_can_leave_out_stderr) {
  std::ofstream(output_path()) << "before\n";
  Command c = command({"sh", "-c", "echo out; echo err >&2"});
  c.discard_stderr = true;
  run(std::move(c));
  EXPECT_EQ(output(), "before\nout\n");
  run(command({"sh", "-c", "echo err >&2"}));
  EXPECT_EQ(output(), "before\nout\nerr\n");
}

TEST_F(ProcessTest, a_background_grandchild_does_not_delay_the_end) {
  const End end = run(command({"sh", "-c", "sleep 1000 & echo $!"}));
  EXPECT_TRUE(end.status.success());
  const pid_t grandchild = std::stoi(output());
  EXPECT_TRUE(child_->signal_group(0));
  EXPECT_TRUE(child_->signal_group(SIGKILL));
  EXPECT_TRUE(wait_for_end(grandchild));
}

TEST_F(ProcessTest, signals_the_whole_group) {
  start(command({"sh", "-c", "sleep 1000 & sleep 1000"}));
  EXPECT_NE(child_->id().start_time_ticks, 0U);
  EXPECT_TRUE(child_->signal_group(SIGTERM));
  run_until([&] { return exited_; });
  EXPECT_EQ(describe(status_), "signal: terminated");
}

TEST_F(ProcessTest, knows_that_a_group_is_gone) {
  run(command({"true"}));
  EXPECT_FALSE(child_->signal_group(0));
  EXPECT_FALSE(child_->signal_group(SIGKILL));
}

TEST_F(ProcessTest, runs_two_hundred_at_once) {
  constexpr int kCount = 200;
  int ended = 0;
  std::vector<std::unique_ptr<Child>> children;
  for (int i = 0; i < kCount; ++i) {
    Command c = command({"sh", "-c", "exit 7"});
    c.output_path += std::to_string(i);
    spawner_->spawn(std::move(c), {[&](Result<std::unique_ptr<Child>> started) {
                                     ASSERT_TRUE(started);
                                     children.push_back(std::move(*started));
                                   },
                                   [&](ExitStatus status) {
                                     EXPECT_EQ(status.code, 7);
                                     if (++ended == kCount) wake();
                                   }});
  }
  run_until([&] { return ended == kCount; });
  EXPECT_EQ(spawner_->queued(), 0U);
}

TEST_F(ProcessTest, adopts_a_process_that_is_still_the_same) {
  start(command({"sleep", "1000"}));
  const ProcessId id = child_->id();
  child_.reset();
  bool ended = false;
  auto adopted = adopt(loop_, id, [&] {
    ended = true;
    wake();
  });
  ASSERT_NE(adopted, nullptr);
  EXPECT_TRUE(adopted->signal_group(SIGKILL));
  run_until([&] { return ended; });
  EXPECT_FALSE(exited_);
  EXPECT_EQ(adopt(loop_, id, [] {}), nullptr);               // Gone.
  EXPECT_EQ(adopt(loop_, {::getpid(), 1}, [] {}), nullptr);  // The number, but another process.
}

TEST_F(ProcessTest, the_child_may_be_destroyed_in_its_own_callback) {
  bool ended = false;
  std::unique_ptr<Child> child;
  spawner_->spawn(command({"true"}),
                  {[&](Result<std::unique_ptr<Child>> started) { child = std::move(*started); },
                   [&](ExitStatus) {
                     child.reset();
                     ended = true;
                     wake();
                   }});
  run_until([&] { return ended; });
}

TEST_F(ProcessTest, a_spawner_that_ends_leaves_no_callback_and_no_unknown_process) {
  const Path pid_path = directory_.path() / "pid";
  ASSERT_EQ(::mkfifo(pid_path.c_str(), 0600), 0);
  auto counted = std::make_shared<int>(0);
  for (int i = 0; i < 50; ++i) {
    Command c = command(i == 0 ? std::vector<std::string>{"sh", "-c", "echo $$ > pid; sleep 1000"}
                               : std::vector<std::string>{"sleep", "1000"});
    c.working_directory = directory_.path();
    spawner_->spawn(std::move(c), {[counted](Result<std::unique_ptr<Child>>) { ++*counted; },
                                   [counted](ExitStatus) { ++*counted; }});
  }
  std::ifstream fifo(pid_path);  // Waits until the first one runs; the loop does not run meanwhile.
  pid_t pid = 0;
  fifo >> pid;
  ASSERT_GT(pid, 0);
  spawner_.reset();
  loop_.post([this] { wake(); });
  loop_.run();
  EXPECT_EQ(*counted, 0);
  EXPECT_EQ(counted.use_count(), 1);
  EXPECT_TRUE(wait_for_end(pid));
}

TEST(FindProgram, follows_path) {
  TemporaryDirectory directory;
  const Path program = directory.path() / "tool";
  std::ofstream(program) << "#!/bin/sh\n";
  const std::string old_path = std::getenv("PATH");
  ::setenv("PATH", (directory.path().string() + ":/usr/bin").c_str(), 1);
  EXPECT_FALSE(find_program("tool"));  // Not executable.
  ::chmod(program.c_str(), 0700);
  EXPECT_EQ(*find_program("tool"), program.string());
  EXPECT_EQ(*find_program("./tool"), "./tool");
  EXPECT_FALSE(find_program("."));
  ::setenv("PATH", "", 1);
  EXPECT_FALSE(find_program("tool"));
  const Path before = std::filesystem::current_path();
  std::filesystem::current_path(directory.path());
  ::setenv("PATH", ":/nowhere", 1);
  EXPECT_EQ(find_program("tool").error().message,
            "exec: \"tool\": cannot run executable found relative to current directory");
  std::filesystem::current_path(before);
  ::setenv("PATH", old_path.c_str(), 1);
}

}  // namespace
}  // namespace dkron::process
