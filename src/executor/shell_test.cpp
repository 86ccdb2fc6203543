// The shell executor with real processes, and the recorded jobs of the reference.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <boost/json.hpp>

#include "base/base64.h"
#include "executor/builtin.h"
#include "executor/shell_config.h"
#include "process/test_support.h"

namespace dkron::executor {
namespace {

namespace json = boost::json;
using testing_support::content_of;
using testing_support::wait_for_end;

class ShellTest : public testing::Test {
 protected:
  void SetUp() override { make({}); }

  void make(ShellOptions options) {
    executor_ = make_shell_executor(loop_, spawner_, std::move(options));
  }

  void start(Config config) {
    context_.job_name = "job-1";
    context_.execution_id = "123-node1";
    context_.node_name = "node1";
    context_.group = 77;
    context_.attempt = 2;
    context_.fence = 9;
    context_.config = std::move(config);
    context_.spool_path = spool_path();
    result_.reset();
    Events events;
    events.started = [this](std::optional<process::ProcessId> id) {
      process_ = id.value();
      loop_.stop();
    };
    events.finished = [this](RunResult result) {
      EXPECT_FALSE(result_) << "finished twice";
      result_ = std::move(result);
      loop_.stop();
    };
    run_ = executor_->start(context_, std::move(events));
    EXPECT_FALSE(result_) << "finished from inside start()";
  }
  RunResult wait() {
    testing_support::run_until(loop_, [this] { return result_.has_value(); });
    return result_.value_or(RunResult{});
  }
  RunResult run(Config config) {
    start(std::move(config));
    return wait();
  }
  // Waits until the job has opened the fifo `ready` for writing.
  Path make_fifo() {
    const Path path = directory_.path() / "ready";
    EXPECT_EQ(::mkfifo(path.c_str(), 0600), 0);
    return path;
  }
  Path spool_path() const { return directory_.path() / "spool"; }
  std::string output() const { return content_of(spool_path()); }
  std::string refused(const Config& config) const {
    const auto valid = executor_->validate(config);
    return valid ? "" : valid.error().message;
  }

  testing_support::TemporaryDirectory directory_;
  net::Loop loop_;
  process::Spawner spawner_{loop_};
  std::unique_ptr<Executor> executor_;
  RunContext context_;
  std::unique_ptr<executor::Run> run_;
  process::ProcessId process_;
  std::optional<RunResult> result_;
};

TEST_F(ShellTest, tells_the_process_and_succeeds) {
  const RunResult result = run({{"command", "echo hello"}});
  EXPECT_TRUE(result.success);
  EXPECT_EQ(result.error, "");
  EXPECT_NE(process_.pid, 0);
  EXPECT_EQ(output(), "hello\n");
}

// Each recorded job once more; what the reference stored as output must come out here as well.
TEST_F(ShellTest, gives_the_recorded_results) {
  const std::string old_path = std::getenv("PATH");
  ::setenv("PATH", "/usr/local/bin:/usr/bin:/bin", 1);
  const auto text =
      read_file(Path(DKRON_SOURCE_DIR) / "tests/golden/executions/shell.json", 1 << 20);
  ASSERT_TRUE(text);
  int replayed = 0;
  const json::value recorded = json::parse(*text);
  for (const json::value& entry : recorded.at("entries").as_array()) {
    const std::string name(entry.at("name").as_string());
    // Refused until memory limits are there.
    if (name == "shell.mem_limit_ok") continue;
    Config config;
    std::string expected;
    bool success = false;
    for (const json::value& step : entry.at("steps").as_array()) {
      const auto* request = step.as_object().if_contains("request");
      if (request == nullptr) continue;
      const std::string_view path = request->at("path").as_string();
      if (path == "/v1/jobs") {
        const json::value job = json::parse(request->at("body").as_string());
        for (const auto& member : job.at("executor_config").as_object()) {
          config[std::string(member.key())] = member.value().as_string();
        }
      } else if (path.ends_with("/executions")) {
        std::string body(step.at("response").at("body").as_string());
        // A placeholder that stands where a number was.
        const std::string number = ":<ns>";
        body.replace(body.find(number), number.size(), ":0");
        const json::value list = json::parse(body);
        const json::object& execution = list.as_array().at(0).as_object();
        success = execution.at("success").as_bool();
        const auto* stored = execution.if_contains("output");
        expected = stored == nullptr ? "" : std::string(stored->as_string());
      }
    }
    // The reference mixes two pipes; here the order of the writes is kept.
    if (name == "shell.stdout_stderr_fail") expected = "exit status 1\nout\nerr\n";
    EXPECT_EQ(refused(config), "") << name;
    std::filesystem::remove(spool_path());
    const RunResult result = run(config);
    EXPECT_EQ(result.success, success) << name;
    const std::string head = result.error.empty() ? "" : result.error + "\n";
    EXPECT_EQ(head + output() + result.trailer, expected) << name;
    ++replayed;
  }
  EXPECT_GE(replayed, 20);
  ::setenv("PATH", old_path.c_str(), 1);
}

TEST_F(ShellTest, gives_the_job_its_variables_and_hides_those_of_the_agent) {
  ::setenv("DKRON_ENCRYPT", "secret", 1);
  ::setenv("PLUGIN_MIN_PORT", "1", 1);
  ::setenv("VISIBLE_TO_JOBS", "yes", 1);
  make({});
  context_.scheduled_at = Instant::from_unix(1'700'000'000);
  run({{"command", "env"}, {"env", "A=1,B=two words,A=2,ENV_JOB_NAME=mine"}});
  const std::string text = "\n" + output();
  for (const char* line : {"A=2", "B=two words", "ENV_JOB_NAME=job-1", "DKRON_JOB_NAME=job-1",
                           "DKRON_EXECUTION_ID=123-node1", "DKRON_EXECUTION_GROUP=77",
                           "DKRON_ATTEMPT=2", "DKRON_FENCE=9", "DKRON_NODE_NAME=node1",
                           "DKRON_SCHEDULED_AT=2023-11-14T22:13:20Z", "VISIBLE_TO_JOBS=yes"}) {
    EXPECT_NE(text.find("\n" + std::string(line) + "\n"), std::string::npos) << line;
  }
  for (const char* hidden : {"DKRON_ENCRYPT", "PLUGIN_MIN_PORT", "A=1\n", "ENV_JOB_NAME=mine"}) {
    EXPECT_EQ(text.find(hidden), std::string::npos) << hidden;
  }
  ::unsetenv("DKRON_ENCRYPT");
  ::unsetenv("PLUGIN_MIN_PORT");
  ::unsetenv("VISIBLE_TO_JOBS");
}

TEST_F(ShellTest, passes_only_the_allowed_variables) {
  const char* environment[] = {"PATH=/bin", "LC_ALL=C",  "LC_TIME=C",
                               "OTHER=1",   "DKRON_X=1", nullptr};
  EXPECT_EQ(inherited_environment(environment, {"PATH", "LC_*"}),
            (std::vector<std::string>{"PATH=/bin", "LC_ALL=C", "LC_TIME=C"}));
  EXPECT_EQ(inherited_environment(environment, {}),
            (std::vector<std::string>{"PATH=/bin", "LC_ALL=C", "LC_TIME=C", "OTHER=1"}));
}

TEST_F(ShellTest, takes_env_as_a_json_object_too) {
  run({{"command", "printenv K"}, {"env", R"({"K":"a,b"})"}});
  EXPECT_EQ(output(), "a,b\n");
  EXPECT_EQ(refused({{"env", R"({"K":1})"}}), "env: the values of the JSON object must be text");
  EXPECT_EQ(refused({{"env", "{"}}), "env: the JSON object cannot be read");
}

TEST_F(ShellTest, refuses_wrong_configs_when_the_job_is_saved) {
  EXPECT_EQ(refused({{"timeout", "x"}}), "Error parsing job timeout value");
  EXPECT_EQ(refused({{"timeout", "10"}}), "Error parsing job timeout value");
  EXPECT_EQ(refused({{"timeout", "-1s"}}), "Error parsing job timeout value");
  EXPECT_EQ(refused({{"mem_limit", "1MB"}}), "mem_limit: a memory limit is not available yet");
  EXPECT_EQ(refused({{"su", "nobody"}}), "su: running as another user is not available yet");
  EXPECT_EQ(refused({{"kill_grace", "soon"}}), "kill_grace: not a duration: \"soon\"");
  EXPECT_EQ(refused({{"success_codes", "a"}}),
            "success_codes: \"a\" is neither a number nor a range");
  EXPECT_EQ(refused({{"output", "none"}}),
            "output: must be \"merged\" or \"stdout\", not \"none\"");
  EXPECT_EQ(refused({{"kill_children", "maybe"}}),
            "kill_children: strconv.ParseBool: parsing \"maybe\": invalid syntax");
  EXPECT_NE(refused({{"command", "a|b"}, {"strict", "true"}}), "");
  EXPECT_EQ(refused({{"command", "a|b"}}), "");
}

TEST_F(ShellTest, does_not_run_what_it_cannot_limit) {
  EXPECT_EQ(run({{"command", "echo x"}, {"su", "nobody"}}).error,
            "su: running as another user is not available yet");
  EXPECT_EQ(run({{"command", "echo x"}, {"mem_limit", "1MB"}}).error,
            "mem_limit: a memory limit is not available yet");
  EXPECT_FALSE(std::filesystem::exists(spool_path()));
}

TEST_F(ShellTest, reports_bad_values_of_a_stored_job) {
  EXPECT_EQ(run({{"command", "true"}, {"payload", "a"}}).error,
            "illegal base64 data at input byte 0");
  EXPECT_EQ(run({{"command", "true"}, {"timeout", "x"}}).error, "shell: Error parsing job timeout");
}

TEST_F(ShellTest, gives_a_payload_of_any_length) {
  const RunResult result =
      run({{"command", "wc -c"}, {"payload", encode_base64(std::string(1'000'000, 'x'))}});
  EXPECT_TRUE(result.success);
  EXPECT_EQ(output(), "1000000\n");
}

TEST_F(ShellTest, accepts_the_codes_of_the_job) {
  const Config config = {{"shell", "true"}, {"success_codes", "2,10-20"}};
  const auto with = [&](std::string command) {
    Config c = config;
    c["command"] = std::move(command);
    return run(c);
  };
  EXPECT_TRUE(with("exit 2").success);
  EXPECT_TRUE(with("exit 15").success);
  EXPECT_EQ(with("exit 3").error, "exit status 3");
  EXPECT_EQ(with("exit 0").error, "exit status 0");
}

TEST_F(ShellTest, leaves_out_stderr_on_demand) {
  run({{"command", "echo out; echo err >&2"}, {"shell", "true"}, {"output", "stdout"}});
  EXPECT_EQ(output(), "out\n");
}

TEST_F(ShellTest, reports_an_output_file_that_cannot_be_written) {
  ASSERT_TRUE(std::filesystem::create_directory(spool_path()));
  const RunResult result = run({{"command", "true"}});
  EXPECT_FALSE(result.success);
  EXPECT_EQ(result.error.substr(0, 28), "cannot open the output file:");
}

TEST_F(ShellTest, kills_the_group_at_the_time_limit) {
  const RunResult result = run(
      {{"command", "sleep 1000 & echo $!; sleep 1000"}, {"shell", "true"}, {"timeout", "200ms"}});
  EXPECT_FALSE(result.success);
  EXPECT_EQ(result.error, "signal: killed");
  EXPECT_EQ(result.trailer,
            "shell: Job 'sleep 1000 & echo $!; sleep 1000' execution time exceeding "
            "defined timeout 200ms. Job was killed");
  EXPECT_TRUE(wait_for_end(std::stoi(output())));
}

TEST_F(ShellTest, gives_the_group_its_grace) {
  // The shell dies of TERM at once; the subshell uses the grace to say goodbye.
  const RunResult result =
      run({{"command",
            "(trap 'sleep 0.1; echo bye; exit' TERM; while :; do sleep 0.01; done) & sleep 1000"},
           {"shell", "true"},
           {"timeout", "200ms"},
           {"kill_grace", "20s"}});
  EXPECT_EQ(result.error, "signal: terminated");
  EXPECT_TRUE(output().ends_with("bye\n")) << output();
}

TEST_F(ShellTest, kills_what_ignores_term_when_the_grace_is_over) {
  const RunResult result = run({{"command", "trap '' TERM; while :; do sleep 0.05; done"},
                                {"shell", "true"},
                                {"timeout", "100ms"},
                                {"kill_grace", "100ms"}});
  EXPECT_EQ(result.error, "signal: killed");
  EXPECT_TRUE(wait_for_end(process_.pid));
}

TEST_F(ShellTest, a_run_that_obeys_term_with_code_0_has_failed_all_the_same) {
  const RunResult result = run({{"command", "trap 'exit 0' TERM; while :; do sleep 0.01; done"},
                                {"shell", "true"},
                                {"timeout", "200ms"},
                                {"kill_grace", "20s"}});
  EXPECT_FALSE(result.success);
  EXPECT_EQ(result.error, "exit status 0");
}

TEST_F(ShellTest, a_background_process_neither_delays_the_end_nor_is_killed) {
  const RunResult result = run({{"command", "sleep 1000 & echo $!"}, {"shell", "true"}});
  EXPECT_TRUE(result.success);
  const pid_t background = std::stoi(output());
  EXPECT_EQ(::kill(background, SIGKILL), 0);
}

TEST_F(ShellTest, kills_left_over_children_on_demand) {
  run({{"command", "sleep 1000 & echo $!"}, {"shell", "true"}, {"kill_children", "true"}});
  EXPECT_TRUE(wait_for_end(std::stoi(output())));
}

TEST_F(ShellTest, is_canceled_while_running_and_before) {
  start({{"command", "sleep 1000"}});
  testing_support::run_until(loop_, [this] { return process_.pid != 0; });
  run_->cancel("the operator said so");
  run_->cancel("twice");
  EXPECT_EQ(wait().error, "canceled: the operator said so");
  start({{"command", "sleep 1000"}});
  run_->cancel("too early");
  EXPECT_EQ(wait().error, "canceled: too early");
}

TEST_F(ShellTest, a_run_that_is_dropped_before_its_process_is_known_leaves_none_behind) {
  const Path fifo = make_fifo();
  start({{"command", "echo $$ > " + fifo.string() + "; sleep 1000"}, {"shell", "true"}});
  pid_t pid = 0;
  std::ifstream(fifo) >> pid;  // It runs, but the loop has not heard of it.
  run_.reset();
  // The news of the start reaches the loop when it will; the process ends behind it.
  const UniqueFd end(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  bool is_over = false;
  const auto watch = loop_.watch_readable(end.get(), [&] {
    is_over = true;
    loop_.stop();
  });
  testing_support::run_until(loop_, [&] { return is_over; });
  EXPECT_FALSE(result_);
}

}  // namespace
}  // namespace dkron::executor
