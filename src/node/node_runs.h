// NodeRuns: executes runs on this node, on servers and agents alike.
//
// A run is ordered once by its key (job uid, group, attempt); ordering it again gives its state,
// never a second process. The journal has it before the process starts; output goes to a spool
// file; the result stays until acknowledged. So after a crash of this process, each ordered run is
// exactly one of: not started (start it), alive (watched to its end), or gone (lost). While the
// journal cannot be written (a full disk), ordered runs wait with their start until it can or they
// are canceled, and what is to be recorded of the others waits in memory. Main loop's thread only.
//
//   ordered -> journal "starting" (durable) -> executor -> journal "process" -> ended ->
//   journal "finished" -> on_finished -> acknowledge() -> journal "ended", spool removed
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "base/clock.h"
#include "executor/executor.h"
#include "model/execution.h"
#include "net/loop.h"
#include "net/worker_pool.h"
#include "node/journal.h"
#include "node/spool_keeper.h"

namespace dkron::node {

struct RunKey {
  std::uint64_t uid = 0;
  std::int64_t group = 0;
  std::uint32_t attempt = 1;
  friend auto operator<=>(const RunKey&, const RunKey&) = default;
};

struct RunOrder {
  RunKey key;
  std::string job_name;
  std::string executor;
  executor::Config config;
  std::uint64_t fence = 0;
  Instant scheduled_at;
};

class NodeRuns {
 public:
  // Runs that wait for their process; above it the leader holds instants back.
  static constexpr std::size_t kWaitingLimit = 4'096;
  // Ended runs that are remembered, so that a late order of one of them is not executed again.
  static constexpr std::size_t kRememberedRuns = 65'536;
  // Results in memory that wait for their commit; the others stay on disk.
  static constexpr std::size_t kResultsInMemory = 256;
  // Runs handed to their executors whose work has not begun. The others wait here, so that the
  // start that is recorded (and stands in the run's id and environment) is that of the process, not
  // of a queue in front of it.
  static constexpr std::size_t kStartsAtOnce = 16;
  // A run that lasts longer is announced as started.
  static constexpr Duration kAnnounceAfter = milliseconds(200);
  // Between TERM and KILL for a canceled run that outlived an earlier process of ours.
  static constexpr Duration kAdoptedGrace = seconds(10);
  // When the worker threads are too busy to read outputs.
  static constexpr Duration kCollectRetry = milliseconds(100);

  struct Callbacks {
    std::function<void(const RunKey&, const model::Execution&)> on_began;  // May be null.
    std::function<void(const RunKey&, Instant started_at)> on_started;     // After kAnnounceAfter.
    std::function<void(const RunKey&, model::Execution)> on_finished;      // Until acknowledged.
    std::function<void()> on_room;  // A run waits no longer; may be null.
    // The journal cannot be written (true), or can again; may be null.
    std::function<void(bool)> on_stall;
  };
  struct Environment {
    net::Loop& loop;
    net::WorkerPool& workers;
    const Clock& clock;
    std::string node_name;
    Path directory;  // <data-dir>/runs
    std::map<std::string, executor::Executor*> executors;
  };

  // Reads the journal and takes up what it tells: recovered results come through on_finished after
  // resume().
  static Result<std::unique_ptr<NodeRuns>> open(Environment environment, Callbacks callbacks);
  ~NodeRuns();

  // Delivers results found at start; from now on the callbacks are used.
  void resume();
  // What the node knew of the run before.
  enum class Known { New, Open, Ended };
  Known start(RunOrder order);
  // The result of `key` is committed (or its job is gone): forget it. No effect before the result
  // was handed out.
  void acknowledge(const RunKey& key);
  // The result could not be committed now; it is delivered again by redeliver().
  void redeliver();
  // False when there is nothing to cancel. Otherwise the result comes as ever.
  bool cancel(const RunKey& key, std::string_view reason);

  // Ordered, but no process yet.
  std::size_t waiting() const { return waiting_; }
  // Not yet over.
  std::size_t active() const;
  // Not yet over, or with a result that is not committed.
  std::size_t unsettled() const { return runs_.size(); }
  std::vector<model::Execution> running() const;
  // Nothing when it is not under way.
  std::optional<model::Execution> find_running(const RunKey& key) const;
  // The tail of the output so far; blocking, for worker threads: read_tail(spool_path(key)).
  Path spool_path(const RunKey& key) const;
  bool is_known(const RunKey& key) const { return runs_.count(key) != 0; }

 private:
  enum class Phase { Journaling, Starting, Running, Adopted, Collecting, Finished };
  struct Run {
    Phase phase = Phase::Journaling;
    RunOrder order;
    Instant started_at;
    Instant finished_at;
    bool delivered = false;
    bool canceled = false;  // An adopted one.
    std::unique_ptr<executor::Run> handle;
    std::unique_ptr<process::Child> adopted;
    std::unique_ptr<net::Timer> kill_timer;  // Of an adopted process.
    process::ProcessId process;
    executor::RunResult result;
    bool lost = false;
  };

  NodeRuns(Environment environment, Callbacks callbacks);
  static std::vector<journal::Record> keep_open(const std::vector<journal::Record>& records);
  void take_up(const std::vector<journal::Record>& records);
  void take_up(const journal::Record& record);
  void settle_taken_up();
  void on_journalled(const RunKey& key);
  void launch_next();
  void launch(const RunKey& key);
  Instant next_start();
  void on_began(const RunKey& key, std::optional<process::ProcessId> id);
  void leave_start(Run* run);
  void finish(const RunKey& key, executor::RunResult result, bool lost);
  void settle(const RunKey& key, Run& run, executor::RunResult result, bool lost);
  void collect_next();
  bool post_collection(const RunKey& key, const Run& run);
  void on_collected(const RunKey& key, model::Execution execution);
  void remember_end(const RunKey& key);
  void compact_journal();
  void announce_long_runs();
  static bool is_under_way(const Run& run);
  model::Execution describe(const RunKey& key, const Run& run) const;

  Environment env_;
  Callbacks callbacks_;
  std::uint64_t boot_ = 0;  // Tells process ids of this boot of the machine.
  // Callbacks that are under way when this object ends find it gone.
  std::shared_ptr<NodeRuns*> self_ = std::make_shared<NodeRuns*>(this);
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<SpoolKeeper> spool_;
  std::unique_ptr<net::Timer> announce_timer_;
  std::unique_ptr<net::Timer> collect_timer_;
  std::map<RunKey, Run> runs_;
  std::deque<RunKey> to_collect_;
  std::size_t collecting_ = 0;
  std::size_t waiting_ = 0;
  std::deque<RunKey> to_launch_;  // Journalled.
  std::size_t starting_ = 0;      // In phase Starting.
  bool is_launching_ = false;
  std::deque<std::pair<Duration, RunKey>> to_announce_;
  Instant last_started_at_;
  std::set<RunKey> ended_;
  std::deque<RunKey> ended_order_;
  bool resumed_ = false;
};

// The stored output: error line, the last bytes of the spool file, trailer; at most
// executor::kOutputLimitBytes, of which the error line is never cut.
struct CollectedOutput {
  std::string text;
  std::uint64_t total_bytes = 0;
  bool truncated = false;
};
CollectedOutput collect_output(const Path& spool, const executor::RunResult& result);

}  // namespace dkron::node
