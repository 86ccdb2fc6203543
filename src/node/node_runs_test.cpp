// Node runs with the real shell executor and real processes, over restarts.
#include "node/node_runs.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include <optional>

#include "executor/builtin.h"
#include "node/test_support.h"
#include "process/test_support.h"

namespace dkron::node {
namespace {

using dkron::testing_support::content_of;
using dkron::testing_support::TemporaryDirectory;
using dkron::testing_support::wait_for_end;
using testing_support::FileSizeLimit;

// One life of a node: what ends with the process. The directory stays.
class Node {
 public:
  explicit Node(const Path& directory) {
    executors_["shell"] = shell_.get();
    NodeRuns::Callbacks callbacks;
    callbacks.on_started = [this](const RunKey& key, Instant) {
      announced.push_back(key);
      loop.stop();
    };
    callbacks.on_finished = [this](const RunKey& key, model::Execution execution) {
      finished.emplace_back(key, std::move(execution));
      if (acknowledges) runs->acknowledge(key);
      loop.stop();
    };
    callbacks.on_room = [this] { ++rooms; };
    callbacks.on_stall = [this](bool stalled) {
      stalls.push_back(stalled);
      loop.stop();
    };
    auto opened = NodeRuns::open({loop, workers_, system_clock(), "node1", directory, executors_},
                                 std::move(callbacks));
    EXPECT_TRUE(opened) << opened.error().message;
    runs = std::move(*opened);
  }
  void wait(const std::function<bool()>& done) { dkron::testing_support::run_until(loop, done); }
  void wait_for_stalls(std::size_t count) {
    wait([this, count] { return stalls.size() >= count; });
  }
  void wait_for_results(std::size_t count) {
    wait([this, count] { return finished.size() >= count; });
  }
  // Lets everything that is posted by now happen.
  void settle() {
    bool over = false;
    loop.post([&] {
      over = true;
      loop.stop();
    });
    wait([&] { return over; });
  }

  net::Loop loop;
  bool acknowledges = true;
  std::size_t rooms = 0;
  std::vector<bool> stalls;
  std::vector<RunKey> announced;
  std::vector<std::pair<RunKey, model::Execution>> finished;

 private:
  process::Spawner spawner_{loop};
  std::unique_ptr<executor::Executor> shell_ = executor::make_shell_executor(loop, spawner_);
  std::map<std::string, executor::Executor*> executors_;

 public:
  std::unique_ptr<NodeRuns> runs;

 private:
  net::WorkerPool workers_{2};  // Ends first, so that nothing is posted to what is gone.
};

class NodeRunsTest : public testing::Test {
 protected:
  Path runs_directory() const { return directory_.path() / "runs"; }
  Path journal_path() const { return runs_directory() / "journal"; }
  std::uint64_t journal_bytes() const { return std::filesystem::file_size(journal_path()); }
  static RunOrder order(std::uint64_t uid, std::string command) {
    RunOrder o;
    o.key = {uid, 5, 1};
    o.job_name = "job";
    o.executor = "shell";
    o.config = {{"command", std::move(command)}, {"shell", "true"}};
    o.fence = 3;
    return o;
  }
  // Starts a run that writes a line and goes on for ever; its process is known when this returns.
  pid_t start_endless(Node& node, std::uint64_t uid) const {
    const Path fifo = directory_.path() / ("fifo" + std::to_string(uid));
    EXPECT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    const UniqueFd reader(::open(fifo.c_str(), O_RDONLY | O_NONBLOCK));
    bool is_there = false;
    const auto watch = node.loop.watch_readable(reader.get(), [&] {
      is_there = true;
      node.loop.stop();
    });
    node.runs->start(order(uid, endless(fifo)));
    node.wait([&] { return is_there; });
    while (node.runs->waiting() > 0) node.settle();  // The news of the start is under way.
    char text[32] = {};
    EXPECT_GT(::read(reader.get(), text, sizeof text - 1), 0);
    return std::stoi(text);
  }
  static std::string endless(const Path& fifo) {
    return "echo output; exec 3> " + fifo.string() + "; echo $$ >&3; exec sleep 1000 3>&-";
  }
  // The journal as an earlier life has left it.
  void write_journal(const std::vector<journal::Record>& records) const {
    std::filesystem::create_directories(runs_directory());
    std::string bytes;
    for (const auto& record : records) append_frame(&bytes, record);
    std::ofstream(journal_path(), std::ios::binary) << bytes;
  }
  static void set_key(journal::RunKey* key) {
    key->set_uid(1);
    key->set_group(5);
    key->set_attempt(1);
  }
  static journal::Record starting() {
    journal::Record record;
    set_key(record.mutable_starting()->mutable_key());
    record.mutable_starting()->set_job_name("job");
    record.mutable_starting()->set_started_at_ns(1'700'000'000'000'000'000);
    return record;
  }

  TemporaryDirectory directory_;
};

constexpr RunKey kFirst{1, 5, 1};

TEST_F(NodeRunsTest, executes_an_order_and_hands_out_its_result) {
  Node node(runs_directory());
  node.runs->resume();
  node.runs->start(order(1, "echo out; exit 3"));
  EXPECT_EQ(node.runs->waiting(), 1U);
  EXPECT_EQ(node.runs->active(), 1U);
  node.wait_for_results(1);
  const model::Execution& execution = node.finished[0].second;
  EXPECT_EQ(execution.output, "exit status 3\nout\n");
  EXPECT_EQ(execution.job_name, "job");
  EXPECT_EQ(execution.node_name, "node1");
  EXPECT_EQ(execution.group, 5);
  EXPECT_FALSE(execution.success);
  EXPECT_FALSE(execution.lost);
  EXPECT_LE(execution.started_at, execution.finished_at);
  EXPECT_EQ(node.runs->waiting(), 0U);
  EXPECT_EQ(node.runs->active(), 0U);
  EXPECT_FALSE(node.runs->is_known(kFirst));
}

TEST_F(NodeRunsTest, executes_an_order_once_however_often_it_comes) {
  const std::string count = "echo x >> " + (directory_.path() / "count").string();
  {
    Node node(runs_directory());
    node.runs->resume();
    node.acknowledges = false;
    node.runs->start(order(1, count));
    node.runs->start(order(1, count));
    node.wait_for_results(1);
    node.runs->start(order(1, count));  // The result comes once more.
    node.wait_for_results(2);
    node.runs->acknowledge(kFirst);
    node.runs->start(order(1, count));  // Ended: nothing.
    node.settle();
    EXPECT_EQ(node.finished.size(), 2U);
  }
  Node node(runs_directory());  // Remembered.
  node.runs->resume();
  node.runs->start(order(1, count));
  node.runs->start(order(2, "true"));
  node.wait_for_results(1);
  EXPECT_EQ(node.finished[0].first.uid, 2U);
  EXPECT_EQ(content_of(directory_.path() / "count"), "x\n");
}

TEST_F(NodeRunsTest, repeated_orders_of_a_finished_run_do_not_use_up_the_places_of_results) {
  Node node(runs_directory());
  node.runs->resume();
  node.acknowledges = false;
  node.runs->start(order(1, "true"));
  node.wait_for_results(1);
  for (std::size_t i = 0; i < 2 * NodeRuns::kResultsInMemory; ++i) {
    node.runs->start(order(1, "true"));
    node.wait_for_results(i + 2);
  }
}

TEST_F(NodeRunsTest, delivers_again_what_was_not_committed) {
  Node node(runs_directory());
  node.runs->resume();
  node.acknowledges = false;
  node.runs->start(order(1, "echo out"));
  node.wait_for_results(1);
  node.runs->redeliver();
  node.wait_for_results(2);
  EXPECT_EQ(node.finished[1].second.output, "out\n");
}

TEST_F(NodeRunsTest, delivers_a_result_of_an_earlier_life) {
  {
    Node node(runs_directory());
    node.runs->resume();
    node.acknowledges = false;
    node.runs->start(order(1, "echo out; exit 1"));
    node.wait_for_results(1);
  }
  Node node(runs_directory());
  EXPECT_TRUE(node.runs->is_known(kFirst));
  node.settle();
  EXPECT_TRUE(node.finished.empty());  // Only after resume().
  node.runs->resume();
  node.wait_for_results(1);
  EXPECT_EQ(node.finished[0].second.output, "exit status 1\nout\n");
  EXPECT_FALSE(node.finished[0].second.lost);
}

TEST_F(NodeRunsTest, a_run_whose_start_is_uncertain_is_lost) {
  write_journal({starting()});
  Node node(runs_directory());
  node.runs->resume();
  node.wait_for_results(1);
  EXPECT_TRUE(node.finished[0].second.lost);
  EXPECT_EQ(node.finished[0].second.started_at, Instant::from_unix(1'700'000'000));
  EXPECT_EQ(node.finished[0].second.output,
            "the run ended while the node was down; its exit status is unknown\n");
  EXPECT_EQ(node.runs->waiting(), 0U);
}

TEST_F(NodeRunsTest, a_process_that_is_gone_is_lost) {
  journal::Record process;
  set_key(process.mutable_process()->mutable_key());
  process.mutable_process()->set_pid(::getpid());  // The number lives, the process is another.
  process.mutable_process()->set_start_time_ticks(1);
  write_journal({starting(), process});
  Node node(runs_directory());
  node.runs->resume();
  node.wait_for_results(1);
  EXPECT_TRUE(node.finished[0].second.lost);
}

TEST_F(NodeRunsTest, a_process_that_lives_on_is_watched_to_its_end) {
  pid_t pid = 0;
  {
    Node node(runs_directory());
    node.runs->resume();
    pid = start_endless(node, 1);
  }
  Node node(runs_directory());
  node.runs->resume();
  ASSERT_EQ(node.runs->running().size(), 1U);
  EXPECT_EQ(node.runs->active(), 1U);
  node.runs->start(order(1, "true"));  // Known: not a second process.
  node.settle();
  EXPECT_TRUE(node.finished.empty());
  EXPECT_EQ(::kill(pid, SIGKILL), 0);
  node.wait_for_results(1);
  EXPECT_TRUE(node.finished[0].second.lost);
  EXPECT_TRUE(node.finished[0].second.output.ends_with("unknown\noutput\n"));
}

TEST_F(NodeRunsTest, an_adopted_run_can_be_canceled) {
  pid_t pid = 0;
  {
    Node node(runs_directory());
    node.runs->resume();
    pid = start_endless(node, 1);
  }
  Node node(runs_directory());
  node.runs->resume();
  EXPECT_TRUE(node.runs->cancel(kFirst, "enough"));
  node.wait_for_results(1);
  EXPECT_TRUE(wait_for_end(pid));
}

TEST_F(NodeRunsTest, cancels_a_run_in_every_phase) {
  Node node(runs_directory());
  node.runs->resume();
  EXPECT_FALSE(node.runs->cancel(kFirst, "unknown"));
  node.runs->start(order(1, "sleep 1000"));
  EXPECT_TRUE(node.runs->cancel(kFirst, "before the start"));
  node.wait_for_results(1);
  EXPECT_EQ(node.finished[0].second.output, "canceled: before the start\n");
  start_endless(node, 2);
  EXPECT_TRUE(node.runs->cancel({2, 5, 1}, "while running"));
  node.wait_for_results(2);
  EXPECT_EQ(node.finished[1].second.output, "canceled: while running\noutput\n");
  EXPECT_FALSE(node.runs->cancel({2, 5, 1}, "after the end"));
}

TEST_F(NodeRunsTest, announces_only_runs_that_last) {
  Node node(runs_directory());
  node.runs->resume();
  node.runs->start(order(1, "true"));
  start_endless(node, 2);
  node.wait([&] { return !node.announced.empty() && !node.finished.empty(); });
  ASSERT_EQ(node.announced.size(), 1U);
  EXPECT_EQ(node.announced[0].uid, 2U);
  node.runs->cancel({2, 5, 1}, "over");
  node.wait_for_results(2);
}

TEST_F(NodeRunsTest, fails_an_order_that_names_no_executor_of_ours) {
  Node node(runs_directory());
  node.runs->resume();
  RunOrder nameless = order(1, "true");
  nameless.executor = "";
  node.runs->start(nameless);
  RunOrder unknown = order(2, "true");
  unknown.executor = "nope";
  node.runs->start(unknown);
  node.wait_for_results(2);
  // Two threads read outputs, so results come in any order.
  std::map<std::uint64_t, std::string> outputs;
  for (const auto& [key, execution] : node.finished) outputs[key.uid] = execution.output;
  EXPECT_EQ(outputs[1], "grpc_agent: No executor defined, nothing to do\n");
  EXPECT_EQ(outputs[2], "grpc_agent: Specified executor is not present: nope\n");
  EXPECT_EQ(node.runs->waiting(), 0U);
}

TEST_F(NodeRunsTest, executes_many_runs_and_leaves_no_file_behind) {
  constexpr std::size_t kCount = 600;  // More than the results in memory.
  {
    Node node(runs_directory());
    node.runs->resume();
    for (std::uint64_t uid = 1; uid <= kCount; ++uid) node.runs->start(order(uid, "exit 0"));
    EXPECT_EQ(node.runs->waiting(), kCount);
    node.wait_for_results(kCount);
    std::set<RunKey> keys;
    std::set<Instant> instants;
    for (const auto& [key, execution] : node.finished) {
      EXPECT_TRUE(execution.success) << execution.output;
      keys.insert(key);
      instants.insert(execution.started_at);
    }
    EXPECT_EQ(keys.size(), kCount);
    EXPECT_EQ(instants.size(), kCount);  // So that no two share a public id.
    EXPECT_EQ(node.runs->active(), 0U);
  }
  EXPECT_TRUE(std::filesystem::is_empty(runs_directory() / "spool"));
}

TEST_F(NodeRunsTest, can_end_at_any_time) {
  for (int turns = 0; turns < 8; ++turns) {
    Node node(runs_directory());
    node.runs->resume();
    for (std::uint64_t uid = 1; uid <= 20; ++uid) {
      node.runs->start(order(static_cast<std::uint64_t>(turns) * 100 + uid, "exit 0"));
    }
    for (int i = 0; i < turns; ++i) node.settle();
    node.runs.reset();
    node.settle();
  }
}

TEST_F(NodeRunsTest, removes_the_output_of_a_background_process_only_after_its_end) {
  Node node(runs_directory());
  node.runs->resume();
  node.runs->start(order(1, "sleep 1000 & echo $!"));
  node.wait_for_results(1);
  const pid_t background = std::stoi(node.finished[0].second.output);
  const Path spool = node.runs->spool_path(kFirst);
  const UniqueFd watch(::inotify_init1(IN_CLOEXEC));
  ASSERT_GE(::inotify_add_watch(watch.get(), spool.parent_path().c_str(), IN_DELETE), 0);
  EXPECT_TRUE(std::filesystem::exists(spool));  // Acknowledged, but still open.
  EXPECT_EQ(::kill(background, SIGKILL), 0);
  pollfd item{watch.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&item, 1, 20'000), 1);
  EXPECT_FALSE(std::filesystem::exists(spool));
}

TEST_F(NodeRunsTest, tells_of_room_once_for_each_run_that_waits_no_longer) {
  Node node(runs_directory());
  node.runs->resume();
  RunOrder nameless = order(1, "true");
  nameless.executor = "";
  node.runs->start(nameless);  // Ends before it has begun.
  EXPECT_EQ(node.rooms, 0U);
  node.wait_for_results(1);
  EXPECT_EQ(node.rooms, 1U);
  start_endless(node, 2);
  EXPECT_EQ(node.rooms, 2U);
  node.runs->cancel({2, 5, 1}, "over");
  node.wait_for_results(2);
  EXPECT_EQ(node.rooms, 2U);  // It had its process before.
  node.runs->start(order(3, "true"));
  node.runs->cancel({3, 5, 1}, "before the start");
  EXPECT_EQ(node.rooms, 3U);
}

// ---- A journal that cannot be written

TEST_F(NodeRunsTest, a_launch_waits_until_the_journal_can_be_written) {
  Node node(runs_directory());
  node.runs->resume();
  const Path mark = directory_.path() / "mark";
  std::optional<FileSizeLimit> limit(journal_bytes());
  node.runs->start(order(1, "echo >> " + mark.string()));
  node.wait_for_stalls(1);
  EXPECT_EQ(node.runs->waiting(), 1U);
  EXPECT_TRUE(node.finished.empty());
  EXPECT_FALSE(std::filesystem::exists(mark));
  limit.reset();
  node.wait_for_results(1);
  EXPECT_TRUE(node.finished[0].second.success) << node.finished[0].second.output;
  EXPECT_EQ(content_of(mark), "\n");
  EXPECT_EQ(node.stalls, (std::vector<bool>{true, false}));
  EXPECT_EQ(node.runs->waiting(), 0U);
}

TEST_F(NodeRunsTest, a_launch_that_waits_for_the_journal_can_be_canceled) {
  Node node(runs_directory());
  node.runs->resume();
  std::optional<FileSizeLimit> limit(journal_bytes());
  node.runs->start(order(1, "true"));
  node.wait_for_stalls(1);
  EXPECT_TRUE(node.runs->cancel(kFirst, "expired"));
  node.wait_for_results(1);
  EXPECT_EQ(node.finished[0].second.output, "canceled: expired\n");
  EXPECT_EQ(node.runs->waiting(), 0U);
  limit.reset();
  node.wait_for_stalls(2);
  node.runs->start(order(1, "true"));  // Over, and not started when the journal was written.
  node.runs->start(order(2, "true"));
  node.wait_for_results(2);
  EXPECT_EQ(node.finished[1].first.uid, 2U);
}

TEST_F(NodeRunsTest, the_end_of_a_run_is_recorded_when_the_journal_can_be_written_again) {
  {
    Node node(runs_directory());
    node.runs->resume();
    node.acknowledges = false;
    const pid_t pid = start_endless(node, 1);
    std::optional<FileSizeLimit> limit(journal_bytes());
    EXPECT_EQ(::kill(pid, SIGKILL), 0);
    node.wait_for_results(1);  // Nothing keeps the result itself back.
    node.wait_for_stalls(1);
    limit.reset();
    node.wait_for_stalls(2);
  }
  Node node(runs_directory());
  node.runs->resume();
  node.wait_for_results(1);
  EXPECT_FALSE(node.finished[0].second.lost);
  EXPECT_EQ(node.finished[0].second.output, "signal: killed\noutput\n");
}

// ---- The journal is rewritten

TEST_F(NodeRunsTest, the_journal_is_rewritten_without_what_is_over_and_nothing_is_forgotten) {
  constexpr std::size_t kRecordBytes = Journal::kRecordLimitBytes / 2;
  constexpr std::size_t kCount = Journal::kCompactBytes / kRecordBytes + 1;
  pid_t pid = 0;
  {
    Node node(runs_directory());
    node.runs->resume();
    pid = start_endless(node, 1'000);
    node.acknowledges = false;
    node.runs->start(order(1'001, "echo kept"));
    node.wait_for_results(1);
    node.acknowledges = true;
    for (std::uint64_t uid = 1; uid <= kCount; ++uid) {
      RunOrder large = order(uid, "true");
      large.executor = "";  // No process takes so long a name.
      large.job_name = std::string(kRecordBytes, 'x');
      node.runs->start(large);
      node.wait_for_results(uid + 1);
    }
  }
  EXPECT_LT(journal_bytes(), Journal::kCompactBytes / 2);

  Node node(runs_directory());
  node.runs->resume();
  node.wait_for_results(1);
  EXPECT_EQ(node.finished[0].first.uid, 1'001U);
  EXPECT_EQ(node.finished[0].second.output, "kept\n");
  ASSERT_EQ(node.runs->running().size(), 1U);
  const std::string count = "echo x >> " + (directory_.path() / "count").string();
  for (std::uint64_t uid = 1; uid <= kCount; ++uid) node.runs->start(order(uid, count));
  EXPECT_EQ(node.runs->waiting(), 0U);  // Ended, each of them.
  EXPECT_EQ(::kill(pid, SIGKILL), 0);
  node.wait_for_results(2);
  EXPECT_EQ(node.finished[1].first.uid, 1'000U);
}

TEST_F(NodeRunsTest, a_rewrite_behind_a_launch_that_waits_keeps_the_launch) {
  constexpr std::size_t kRecordBytes = Journal::kRecordLimitBytes / 2;
  constexpr std::size_t kCount = Journal::kCompactBytes / kRecordBytes + 1;
  const std::string count = "echo x >> " + (directory_.path() / "count").string();
  {
    Node node(runs_directory());
    node.runs->resume();
    node.acknowledges = false;
    for (std::uint64_t uid = 1; uid <= kCount; ++uid) {
      RunOrder large = order(uid, "true");
      large.executor = "";
      large.job_name = std::string(kRecordBytes, 'x');
      node.runs->start(large);
    }
    node.wait_for_results(kCount);
    std::optional<FileSizeLimit> limit(1'000);
    node.runs->start(order(1'000, count));
    node.wait_for_stalls(1);
    for (std::uint64_t uid = 1; uid <= kCount; ++uid) node.runs->acknowledge({uid, 5, 1});
    limit.reset();
    node.wait_for_results(kCount + 1);
    EXPECT_TRUE(node.finished.back().second.success);
  }
  EXPECT_LT(journal_bytes(), kCount * kRecordBytes);  // The first to be acknowledged is gone.
  Node node(runs_directory());
  node.runs->resume();
  node.wait_for_results(1);
  EXPECT_EQ(node.finished[0].first.uid, 1'000U);
  EXPECT_FALSE(node.finished[0].second.lost);
  EXPECT_EQ(content_of(directory_.path() / "count"), "x\n");
}

}  // namespace
}  // namespace dkron::node
