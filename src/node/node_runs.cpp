#include "node/node_runs.h"

#include <algorithm>
#include <csignal>

#include "base/assert.h"
#include "base/checksum.h"
#include "base/log.h"

namespace dkron::node {
namespace {

journal::RunKey to_message(const RunKey& key) {
  journal::RunKey message;
  message.set_uid(key.uid);
  message.set_group(key.group);
  message.set_attempt(key.attempt);
  return message;
}

RunKey from_message(const journal::RunKey& message) {
  return RunKey{message.uid(), message.group(), message.attempt()};
}

RunKey key_of(const journal::Record& record) {
  switch (record.kind_case()) {
    case journal::Record::kStarting: return from_message(record.starting().key());
    case journal::Record::kProcess: return from_message(record.process().key());
    case journal::Record::kFinished: return from_message(record.finished().key());
    case journal::Record::kEnded: return from_message(record.ended());
    case journal::Record::KIND_NOT_SET: break;
  }
  return {};
}

// Zero, which matches nothing, where it cannot be read.
std::uint64_t read_boot_checksum() {
  const auto id = read_file("/proc/sys/kernel/random/boot_id", 4096);
  return id && !id->empty() ? checksum64(*id) : 0;
}

journal::Record starting_record(const RunOrder& order, Instant started_at) {
  journal::Record record;
  journal::Starting* starting = record.mutable_starting();
  *starting->mutable_key() = to_message(order.key);
  starting->set_job_name(order.job_name);
  starting->set_started_at_ns(started_at.unix_nanos());
  starting->set_fence(order.fence);
  return record;
}

journal::Record process_record(const RunKey& key, process::ProcessId id, std::uint64_t boot,
                               Instant started_at) {
  journal::Record record;
  journal::Process* process = record.mutable_process();
  *process->mutable_key() = to_message(key);
  process->set_pid(id.pid);
  process->set_start_time_ticks(id.start_time_ticks);
  process->set_boot(boot);
  process->set_started_at_ns(started_at.unix_nanos());
  return record;
}

journal::Record finished_record(const RunKey& key, Instant started_at, Instant finished_at,
                                const executor::RunResult& result, bool lost) {
  journal::Record record;
  journal::Finished* finished = record.mutable_finished();
  *finished->mutable_key() = to_message(key);
  finished->set_started_at_ns(started_at.unix_nanos());
  finished->set_finished_at_ns(finished_at.unix_nanos());
  finished->set_success(result.success);
  finished->set_lost(lost);
  finished->set_error(result.error.substr(0, executor::kOutputLimitBytes));
  finished->set_trailer(result.trailer.substr(0, executor::kOutputLimitBytes));
  return record;
}

journal::Record ended_record(const RunKey& key) {
  journal::Record record;
  *record.mutable_ended() = to_message(key);
  return record;
}

constexpr std::string_view kLostText =
    "the run ended while the node was down; its exit status is unknown";

}  // namespace

NodeRuns::NodeRuns(Environment environment, Callbacks callbacks)
    : env_(std::move(environment)), callbacks_(std::move(callbacks)), boot_(read_boot_checksum()) {}
NodeRuns::~NodeRuns() {
  *self_ = nullptr;
}

Result<std::unique_ptr<NodeRuns>> NodeRuns::open(Environment environment, Callbacks callbacks) {
  std::unique_ptr<NodeRuns> runs(new NodeRuns(std::move(environment), std::move(callbacks)));
  const Path& directory = runs->env_.directory;
  if (auto made = make_directories(directory / "spool"); !made) return fail(made.error());
  std::vector<journal::Record> kept;
  auto journal = Journal::open(
      directory / "journal", runs->env_.loop.poster(),
      [&kept](const std::vector<journal::Record>& records) {
        kept = keep_open(records);
        return kept;
      },
      [self = runs->self_](bool stalled) {
        if (*self != nullptr && (*self)->callbacks_.on_stall) (*self)->callbacks_.on_stall(stalled);
      });
  if (!journal) return fail(journal.error());
  runs->journal_ = std::move(*journal);
  runs->spool_ = std::make_unique<SpoolKeeper>(directory / "spool");
  runs->announce_timer_ = runs->env_.loop.make_timer();
  runs->collect_timer_ = runs->env_.loop.make_timer();
  runs->take_up(kept);
  return runs;
}

// What is not over, and the newest ended keys, so that an order that arrives late is still
// recognised.
std::vector<journal::Record> NodeRuns::keep_open(const std::vector<journal::Record>& records) {
  std::set<RunKey> ended;
  for (const journal::Record& record : records) {
    if (record.kind_case() == journal::Record::kEnded) ended.insert(from_message(record.ended()));
  }
  std::vector<journal::Record> kept;
  std::size_t spare = ended.size() > kRememberedRuns ? ended.size() - kRememberedRuns : 0;
  for (const journal::Record& record : records) {
    if (record.kind_case() == journal::Record::kEnded) {
      if (spare > 0) {
        --spare;
      } else {
        kept.push_back(record);
      }
    } else if (ended.count(key_of(record)) == 0) {
      kept.push_back(record);
    }
  }
  return kept;
}

void NodeRuns::take_up(const std::vector<journal::Record>& records) {
  for (const journal::Record& record : records) take_up(record);
  settle_taken_up();
  std::set<std::string> known;
  for (const auto& [key, run] : runs_) known.insert(spool_path(key).filename().string());
  std::error_code error;
  for (const auto& file : std::filesystem::directory_iterator(env_.directory / "spool", error)) {
    if (known.count(file.path().filename().string()) == 0) spool_->remove(file.path());
  }
}

void NodeRuns::take_up(const journal::Record& record) {
  const RunKey key = key_of(record);
  switch (record.kind_case()) {
    case journal::Record::kStarting: {
      Run& run = runs_[key];
      run.phase = Phase::Starting;
      run.order.key = key;
      run.order.job_name = record.starting().job_name();
      run.order.fence = record.starting().fence();
      run.started_at = Instant::from_unix_nanos(record.starting().started_at_ns());
      last_started_at_ = std::max(last_started_at_, run.started_at);
      break;
    }
    case journal::Record::kProcess: {
      const auto found = runs_.find(key);
      if (found == runs_.end()) break;
      found->second.phase = Phase::Running;
      found->second.started_at = Instant::from_unix_nanos(record.process().started_at_ns());
      // Of an earlier boot the number says nothing any more.
      if (record.process().boot() == boot_ && boot_ != 0) {
        found->second.process = {record.process().pid(), record.process().start_time_ticks()};
      }
      break;
    }
    case journal::Record::kFinished: {
      const auto found = runs_.find(key);
      if (found == runs_.end()) break;
      Run& run = found->second;
      run.phase = Phase::Collecting;
      run.started_at = Instant::from_unix_nanos(record.finished().started_at_ns());
      run.finished_at = Instant::from_unix_nanos(record.finished().finished_at_ns());
      run.result = {record.finished().success(), record.finished().error(),
                    record.finished().trailer()};
      run.lost = record.finished().lost();
      break;
    }
    case journal::Record::kEnded: remember_end(key); break;
    case journal::Record::KIND_NOT_SET: break;
  }
}

// Decides what became of the runs that were under way when the process ended.
void NodeRuns::settle_taken_up() {
  std::vector<RunKey> keys;
  for (const auto& [key, run] : runs_) keys.push_back(key);
  for (const RunKey& key : keys) {
    Run& run = runs_.at(key);
    if (run.phase == Phase::Collecting) {
      to_collect_.push_back(key);
      continue;
    }
    if (run.phase == Phase::Running) {
      run.adopted = process::adopt(env_.loop, run.process, [this, key] {
        finish(key, {false, std::string(kLostText), {}}, true);
      });
      if (run.adopted != nullptr) {
        run.phase = Phase::Adopted;
        spool_->run_began();
        log::info("node: watching a run that outlived the agent",
                  {{"job_name", run.order.job_name}, {"pid", run.process.pid}});
        continue;
      }
    }
    // Between "starting" and "process" it is unknown whether the process started, so it is not
    // started again.
    settle(key, run, {false, std::string(kLostText), {}}, true);
  }
}

void NodeRuns::resume() {
  resumed_ = true;
  redeliver();
}

Path NodeRuns::spool_path(const RunKey& key) const {
  return env_.directory / "spool" /
         (std::to_string(key.uid) + "-" + std::to_string(key.group) + "-" +
          std::to_string(key.attempt));
}

NodeRuns::Known NodeRuns::start(RunOrder order) {
  const RunKey key = order.key;
  if (ended_.count(key) != 0) return Known::Ended;
  auto [entry, added] = runs_.try_emplace(key);
  if (!added) {
    // Known: its result comes, or comes again.
    if (entry->second.phase == Phase::Finished && entry->second.delivered) {
      entry->second.delivered = false;
      --collecting_;
      to_collect_.push_back(key);
      collect_next();
    }
    return Known::Open;
  }
  Run& run = entry->second;
  run.order = std::move(order);
  ++waiting_;
  run.started_at = env_.clock.wall();
  spool_->run_began();
  journal_->append(starting_record(run.order, run.started_at), true,
                   [self = self_, key](const Result<void>& written) {
                     if (*self != nullptr && written) (*self)->on_journalled(key);
                   });
  return Known::New;
}

void NodeRuns::on_journalled(const RunKey& key) {
  to_launch_.push_back(key);
  launch_next();
}

void NodeRuns::launch_next() {
  if (std::exchange(is_launching_, true)) return;  // From a run that ended inside launch().
  while (starting_ < kStartsAtOnce && !to_launch_.empty()) {
    const RunKey key = to_launch_.front();
    to_launch_.pop_front();
    launch(key);
  }
  is_launching_ = false;
}

void NodeRuns::launch(const RunKey& key) {
  const auto found = runs_.find(key);
  if (found == runs_.end() || found->second.phase != Phase::Journaling) return;
  Run& run = found->second;
  run.phase = Phase::Starting;
  ++starting_;
  run.started_at = next_start();
  if (run.order.executor.empty()) {
    finish(key, {false, "grpc_agent: No executor defined, nothing to do", {}}, false);
    return;
  }
  const auto executor = env_.executors.find(run.order.executor);
  if (executor == env_.executors.end()) {
    log::error("grpc_agent: Specified executor is not present", {{"executor", run.order.executor}});
    finish(key, {false, "grpc_agent: Specified executor is not present: " + run.order.executor, {}},
           false);
    return;
  }
  executor::RunContext context;
  context.job_name = run.order.job_name;
  context.execution_id = model::Execution::make_id(run.started_at, env_.node_name);
  context.node_name = env_.node_name;
  context.group = key.group;
  context.attempt = key.attempt;
  context.fence = run.order.fence;
  context.scheduled_at = run.order.scheduled_at;
  context.config = run.order.config;
  context.spool_path = spool_path(key);
  executor::Events events;
  events.started = [this, key](std::optional<process::ProcessId> id) { on_began(key, id); };
  events.finished = [this, key](executor::RunResult result) {
    finish(key, std::move(result), false);
  };
  run.handle = executor->second->start(std::move(context), std::move(events));
  if (to_announce_.empty()) {
    announce_timer_->start(kAnnounceAfter, [this] { announce_long_runs(); });
  }
  to_announce_.emplace_back(env_.clock.steady() + kAnnounceAfter, key);
}

// Taken before the spawn, so that id and environment are fixed; never twice the same.
Instant NodeRuns::next_start() {
  return last_started_at_ = std::max(env_.clock.wall(), last_started_at_ + nanoseconds(1));
}

void NodeRuns::on_began(const RunKey& key, std::optional<process::ProcessId> id) {
  const auto found = runs_.find(key);
  if (found == runs_.end() || found->second.phase != Phase::Starting) return;
  Run& run = found->second;
  leave_start(&run);
  run.phase = Phase::Running;
  if (id) {
    run.process = *id;
    journal_->append(process_record(key, *id, boot_, run.started_at), false, nullptr);
  }
  if (callbacks_.on_began) callbacks_.on_began(key, describe(key, run));
  launch_next();
}

// The run's work has begun, or will never begin.
void NodeRuns::leave_start(Run* run) {
  if (run->phase != Phase::Journaling && run->phase != Phase::Starting) return;
  --waiting_;
  if (run->phase == Phase::Starting) --starting_;
  if (callbacks_.on_room) callbacks_.on_room();
}

// The end of a run that this process started or adopted.
void NodeRuns::finish(const RunKey& key, executor::RunResult result, bool lost) {
  const auto found = runs_.find(key);
  DK_ASSERT(found != runs_.end());
  Run& run = found->second;
  DK_ASSERT(run.phase != Phase::Collecting && run.phase != Phase::Finished);
  leave_start(&run);
  spool_->run_ended();
  // The handle is on the stack of this call; it goes when the loop is back.
  env_.loop.post([handle = std::shared_ptr<executor::Run>(std::move(run.handle)),
                  adopted = std::shared_ptr<process::Child>(std::move(run.adopted))] {});
  run.kill_timer.reset();
  settle(key, run, std::move(result), lost);
  collect_next();
  launch_next();
}

void NodeRuns::settle(const RunKey& key, Run& run, executor::RunResult result, bool lost) {
  run.phase = Phase::Collecting;
  run.finished_at = std::max(env_.clock.wall(), run.started_at);
  run.result = std::move(result);
  run.lost = lost;
  journal_->append(finished_record(key, run.started_at, run.finished_at, run.result, lost), false,
                   nullptr);
  to_collect_.push_back(key);
}

// Reads outputs on the worker threads, a bounded number at a time.
void NodeRuns::collect_next() {
  if (!resumed_) return;
  while (!to_collect_.empty() && collecting_ < kResultsInMemory) {
    const RunKey key = to_collect_.front();
    const auto found = runs_.find(key);
    const bool is_due = found != runs_.end() && !found->second.delivered;
    if (is_due && !post_collection(key, found->second)) {
      collect_timer_->start(kCollectRetry, [this] { collect_next(); });
      return;
    }
    to_collect_.pop_front();
    if (!is_due) continue;
    found->second.phase = Phase::Finished;
    found->second.delivered = true;
    ++collecting_;
  }
}

bool NodeRuns::post_collection(const RunKey& key, const Run& run) {
  return env_.workers.try_post([self = self_, key, execution = describe(key, run),
                                path = spool_path(key), result = run.result,
                                post = env_.loop.poster()]() mutable {
    CollectedOutput output = collect_output(path, result);
    execution.output = std::move(output.text);
    execution.output_bytes = output.total_bytes;
    execution.output_truncated = output.truncated;
    post([self, key, execution = std::move(execution)]() mutable {
      if (*self != nullptr) (*self)->on_collected(key, std::move(execution));
    });
  });
}

void NodeRuns::on_collected(const RunKey& key, model::Execution execution) {
  if (is_known(key)) callbacks_.on_finished(key, std::move(execution));
}

void NodeRuns::acknowledge(const RunKey& key) {
  const auto found = runs_.find(key);
  if (found == runs_.end() || found->second.phase != Phase::Finished) return;
  if (found->second.delivered) --collecting_;
  runs_.erase(found);
  journal_->append(ended_record(key), false, nullptr);
  remember_end(key);
  spool_->remove(spool_path(key));
  compact_journal();
  collect_next();
}

void NodeRuns::redeliver() {
  if (!resumed_) return;
  to_collect_.clear();
  collecting_ = 0;
  for (auto& [key, run] : runs_) {
    if (run.phase != Phase::Finished && run.phase != Phase::Collecting) continue;
    run.delivered = false;
    to_collect_.push_back(key);
  }
  collect_next();
}

void NodeRuns::remember_end(const RunKey& key) {
  if (!ended_.insert(key).second) return;
  ended_order_.push_back(key);
  if (ended_order_.size() <= kRememberedRuns) return;
  ended_.erase(ended_order_.front());
  ended_order_.pop_front();
}

void NodeRuns::compact_journal() {
  if (!journal_->is_bloated()) return;
  std::vector<journal::Record> open;
  for (const auto& [key, run] : runs_) {
    open.push_back(starting_record(run.order, run.started_at));
    if (run.process.pid != 0)
      open.push_back(process_record(key, run.process, boot_, run.started_at));
    if (run.phase != Phase::Collecting && run.phase != Phase::Finished) continue;
    open.push_back(finished_record(key, run.started_at, run.finished_at, run.result, run.lost));
  }
  journal_->rewrite([ended = ended_order_, open = std::move(open)] {
    std::vector<journal::Record> records;
    records.reserve(ended.size() + open.size());
    for (const RunKey& key : ended) records.push_back(ended_record(key));
    records.insert(records.end(), open.begin(), open.end());
    return records;
  });
}

void NodeRuns::announce_long_runs() {
  const Duration now = env_.clock.steady();
  while (!to_announce_.empty() && to_announce_.front().first <= now) {
    const auto found = runs_.find(to_announce_.front().second);
    to_announce_.pop_front();
    if (found == runs_.end() || found->second.phase == Phase::Finished ||
        found->second.phase == Phase::Collecting) {
      continue;
    }
    callbacks_.on_started(found->first, found->second.started_at);
  }
  if (to_announce_.empty()) return;
  announce_timer_->start(to_announce_.front().first - now, [this] { announce_long_runs(); });
}

bool NodeRuns::cancel(const RunKey& key, std::string_view reason) {
  const auto found = runs_.find(key);
  if (found == runs_.end()) return false;
  Run& run = found->second;
  switch (run.phase) {
    case Phase::Journaling:
      // It may wait for the journal without end.
      run.started_at = next_start();
      finish(key, {false, "canceled: " + std::string(reason), {}}, false);
      return true;
    case Phase::Starting:
    case Phase::Running: run.handle->cancel(reason); return true;
    case Phase::Adopted:
      if (std::exchange(run.canceled, true)) return true;
      run.adopted->signal_group(SIGTERM);
      run.kill_timer = env_.loop.make_timer();
      run.kill_timer->start(kAdoptedGrace,
                            [child = run.adopted.get()] { child->signal_group(SIGKILL); });
      return true;
    case Phase::Collecting:
    case Phase::Finished: return false;
  }
  return false;
}

std::size_t NodeRuns::active() const {
  return static_cast<std::size_t>(std::count_if(runs_.begin(), runs_.end(), [](const auto& entry) {
    return entry.second.phase != Phase::Finished;
  }));
}

bool NodeRuns::is_under_way(const Run& run) {
  return run.phase == Phase::Running || run.phase == Phase::Adopted || run.phase == Phase::Starting;
}

std::vector<model::Execution> NodeRuns::running() const {
  std::vector<model::Execution> running;
  for (const auto& [key, run] : runs_) {
    if (is_under_way(run)) running.push_back(describe(key, run));
  }
  return running;
}

std::optional<model::Execution> NodeRuns::find_running(const RunKey& key) const {
  const auto found = runs_.find(key);
  if (found == runs_.end() || !is_under_way(found->second)) return std::nullopt;
  return describe(key, found->second);
}

model::Execution NodeRuns::describe(const RunKey& key, const Run& run) const {
  model::Execution execution;
  execution.job_name = run.order.job_name;
  execution.started_at = run.started_at;
  execution.finished_at = run.finished_at;
  execution.success = run.result.success;
  execution.lost = run.lost;
  execution.node_name = env_.node_name;
  execution.group = key.group;
  execution.attempt = key.attempt;
  execution.scheduled_at = run.order.scheduled_at;
  return execution;
}

}  // namespace dkron::node
