// How an Engine comes up: libraft's objects in order, our settings, the first log.
#include <climits>

#include "base/assert.h"
#include "base/log.h"
#include "raft/address.h"
#include "raft/engine_requests.h"
#include "raft/errors.h"
#include "raft/log_files.h"
#include "raft/tracer.h"

namespace dkron::raft {
namespace {

constexpr unsigned kElectionTimeoutMs = 500;
constexpr unsigned kHeartbeatMs = 100;
constexpr unsigned kInstallSnapshotTimeoutMs = 10 * 1000;
// Short, because GroupChanges promotes only who has caught up.
constexpr unsigned kCatchUpRoundMs = 10 * 1000;
constexpr unsigned kCatchUpRounds = 10;
constexpr unsigned kEntriesOnTheWay = 1024;
constexpr unsigned kConnectRetryMs = 250;

}  // namespace

Engine::Engine(uv_loop_t& loop, EngineSetup setup, StateMachine& machine, Shared& shared,
               std::function<void()> on_stopped)
    : loop_(loop),
      options_(std::move(setup.options)),
      begin_(setup.begin),
      machine_(machine),
      shared_(shared),
      on_stopped_(std::move(on_stopped)),
      address_(server_address(options_.node_name, options_.address)),
      post_to_raft_(std::move(setup.post)),
      senders_(machine, post_to_raft_),
      transport_(loop, transport_setup()),
      fetcher_(transport_, machine, post_to_raft_),
      guards_(setup.acknowledged_index, guard_hooks()),
      snapshots_(raft_, guards_, machine, options_,
                 [this](std::string_view manifest) { senders_.remember(manifest); }),
      changes_(raft_, options_.post),
      stall_watch_(options_.post, options_.stall_limit) {
  shared_.identity.set(std::move(setup.identity));
}

Engine::~Engine() = default;

Transport::Setup Engine::transport_setup() {
  Transport::Setup setup;
  setup.address = address_;
  setup.dial = options_.dial;
  setup.post = post_to_raft_;
  setup.snapshots.check = [this](const Hello& hello) { return senders_.check(hello); };
  setup.snapshots.serve = [this](const Hello& hello, uv_stream_t* stream) {
    senders_.serve(hello, stream);
  };
  return setup;
}

Guards::Hooks Engine::guard_hooks() {
  Guards::Hooks hooks;
  hooks.on_loaded = [this](const Guards::Loaded& loaded) { snapshots_.on_loaded(loaded); };
  hooks.on_snapshot_put = [this](std::uint64_t index, int status) {
    snapshots_.on_put(index, status);
  };
  hooks.on_message = [this](std::uint64_t server_id) { changes_.on_contact(server_id); };
  hooks.may_install = [this](const struct raft_message& message) { return may_install(message); };
  return hooks;
}

// ---- From outside into a group

Result<void> Engine::start() {
  start_turns();
  if (begin_ != EngineSetup::Begin::Outside) {
    return start_raft(begin_ == EngineSetup::Begin::Found);
  }
  log::info("raft: this server is part of no group yet");
  publish_status();
  return {};
}

void Engine::found(Node::OnDone done) {
  begin_to_belong({new_identity(options_.node_name, options_.cluster_id), true}, done);
}

void Engine::adopt(std::uint64_t cluster_id, std::uint64_t recovery_epoch, Node::OnDone done) {
  begin_to_belong({{options_.node_name, cluster_id, recovery_epoch}, false}, done);
}

// What is on disk decides: once the identity is there, a start goes on with it.
void Engine::begin_to_belong(StoredIdentity stored, const Node::OnDone& done) {
  const auto answer = [&](Result<void> result) {
    options_.post([done, result = std::move(result)] { done(result); });
  };
  if (is_stopping_ || fatal_) return answer(fail(*refusal()));
  const Identity present = shared_.identity.get();
  if (present.cluster_id != 0) {
    const bool is_same = !stored.is_founding && present.cluster_id == stored.identity.cluster_id &&
                         present.recovery_epoch == stored.identity.recovery_epoch;
    if (is_same) return answer({});
    return answer(fail(ErrorCode::Conflict, "this server is part of the cluster " +
                                                std::to_string(present.cluster_id) + " already"));
  }
  if (stored.identity.cluster_id == 0) {
    return answer(fail(ErrorCode::InvalidArgument, "a cluster id is never 0"));
  }
  if (auto written = write_identity(options_.directory, stored); !written) {
    return answer(fail(written.error()));
  }
  shared_.identity.set(stored.identity);
  auto started = start_raft(stored.is_founding);
  if (!started && !fatal_) set_fatal(started.error());
  answer(std::move(started));
}

Result<void> Engine::start_raft(bool is_founding) {
  transport_.set_identity(shared_.identity.get());
  if (auto initialised = init(); !initialised) return initialised;
  configure();
  if (is_founding) {
    if (auto founded = bootstrap(); !founded) return founded;
  }
  const int status = raft_start(&raft_);
  if (guards_.tripped()) return fail(*guards_.tripped());
  if (fatal_) return fail(*fatal_);
  if (status != 0) return fail(start_error(status, raft_errmsg(&raft_), options_.directory));
  is_started_ = true;
  // From here on a leader may shorten the tail that the last end had recorded.
  if (auto removed = remove_acknowledged(options_.directory); !removed) return removed;
  if (raft_.configuration.n == 0) {
    log::info("raft: this server waits to be added by the leader of its cluster",
              {{"cluster_id", shared_.identity.get().cluster_id}});
  }
  snapshots_.update();
  publish_status();
  return {};
}

Result<void> Engine::init() {
  int status = raft_uv_init(&io_, &loop_, options_.directory.c_str(), transport_.raw());
  if (status != 0) return fail(start_error(status, io_.errmsg, options_.directory));
  has_io_ = true;
  raft_uv_set_auto_recovery(&io_, false);
  raft_uv_set_connect_retry_delay(&io_, kConnectRetryMs);
  raft_uv_set_tracer(&io_, log_tracer());
  fill_fsm();
  const std::uint64_t id = server_id(options_.node_name);
  status = raft_init(&raft_, &io_, &fsm_, id, address_.c_str());
  if (status != 0) return fail(start_error(status, raft_errmsg(&raft_), options_.directory));
  has_raft_ = true;
  raft_.tracer = log_tracer();
  guards_.install(raft_, io_);
  return {};
}

void Engine::configure() {
  const auto factor = static_cast<unsigned>(options_.multiplier);
  raft_set_election_timeout(&raft_, kElectionTimeoutMs * factor);
  raft_set_heartbeat_timeout(&raft_, kHeartbeatMs * factor);
  raft_set_pre_vote(&raft_, true);
  raft_set_install_snapshot_timeout(&raft_, kInstallSnapshotTimeoutMs);
  raft_set_max_catch_up_round_duration(&raft_, kCatchUpRoundMs);
  raft_set_max_catch_up_rounds(&raft_, kCatchUpRounds);
  raft_set_max_inflight_entries(&raft_, kEntriesOnTheWay);
  // Snapshots::update() steers both.
  raft_set_snapshot_threshold(&raft_, UINT_MAX);
  raft_set_snapshot_trailing(&raft_, static_cast<unsigned>(LogSizes::kTrailingEntries));
}

// Between the opening of the log and its start, the one place where a configuration may be written
// without consensus: the first one of a new group. See identity.h for the order of the writes.
Result<void> Engine::bootstrap() {
  struct raft_configuration configuration;
  raft_configuration_init(&configuration);
  int status = raft_configuration_add(&configuration, server_id(options_.node_name),
                                      address_.c_str(), RAFT_VOTER);
  if (status == 0) status = raft_bootstrap(&raft_, &configuration);
  raft_configuration_close(&configuration);
  if (status != 0) return fail(start_error(status, raft_errmsg(&raft_), options_.directory));
  const Identity identity = shared_.identity.get();
  if (auto written = write_identity(options_.directory, {identity, false}); !written) {
    return written;
  }
  log::info("raft group founded", {{"cluster_id", identity.cluster_id}});
  return {};
}

}  // namespace dkron::raft
