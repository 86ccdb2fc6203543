// How an Engine comes up: libraft's objects in order, our settings, the first log.
#include <algorithm>
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
constexpr unsigned kCatchUpRoundMs = 5 * 60 * 1000;
constexpr unsigned kCatchUpRounds = 10;
constexpr unsigned kEntriesOnTheWay = 1024;
constexpr unsigned kConnectRetryMs = 250;

}  // namespace

Engine::Engine(uv_loop_t& loop, EngineSetup setup, StateMachine& machine, Shared& shared,
               std::function<void()> on_stopped)
    : loop_(loop),
      options_(std::move(setup.options)),
      identity_(std::move(setup.identity)),
      is_pristine_(setup.is_pristine),
      machine_(machine),
      shared_(shared),
      on_stopped_(std::move(on_stopped)),
      address_(server_address(options_.node_name, options_.address)),
      transport_(loop, identity_, address_),
      guards_(setup.acknowledged_index,
              {[this](const Guards::Loaded& loaded) { snapshots_.on_loaded(loaded); },
               [this](std::uint64_t index, int status) { snapshots_.on_put(index, status); }}),
      snapshots_(raft_, guards_, machine, options_) {}

Engine::~Engine() = default;

Result<void> Engine::start() {
  start_turns();
  if (auto initialised = init(); !initialised) return initialised;
  configure();
  if (auto prepared = prepare_first_log(); !prepared) return prepared;
  const int status = raft_start(&raft_);
  if (guards_.tripped()) return fail(*guards_.tripped());
  if (fatal_) return fail(*fatal_);
  if (status != 0) return fail(start_error(status, raft_errmsg(&raft_), options_.directory));
  is_started_ = true;
  // From here on a leader may shorten the tail that the last end had recorded.
  if (auto removed = remove_acknowledged(options_.directory); !removed) return removed;
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
// without consensus: the first one of a new group. At most one such call is allowed per start.
Result<void> Engine::prepare_first_log() {
  if (!is_pristine_) return {};
  if (!options_.bootstrap_servers.empty()) return bootstrap(options_.bootstrap_servers);
  return bootstrap({{server_id(options_.node_name), options_.node_name, options_.address, true}});
}

Result<void> Engine::bootstrap(const std::vector<Server>& servers) {
  std::vector<Server> sorted = servers;  // The first entry must be the same on all servers.
  std::sort(sorted.begin(), sorted.end(),
            [](const Server& a, const Server& b) { return a.node_name < b.node_name; });
  struct raft_configuration configuration;
  raft_configuration_init(&configuration);
  int status = 0;
  for (const Server& server : sorted) {
    const std::string address = server_address(server.node_name, server.address);
    status = raft_configuration_add(&configuration, server_id(server.node_name), address.c_str(),
                                    server.is_voter ? RAFT_VOTER : RAFT_STANDBY);
    if (status != 0) break;
  }
  if (status == 0) status = raft_bootstrap(&raft_, &configuration);
  raft_configuration_close(&configuration);
  if (status != 0) return fail(start_error(status, raft_errmsg(&raft_), options_.directory));
  log::info("raft group founded", {{"servers", sorted.size()}});
  return {};
}

}  // namespace dkron::raft
