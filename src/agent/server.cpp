#include "agent/server.h"

#include <optional>

#include "agent/addresses.h"
#include "agent/control.h"
#include "agent/gossip_instruments.h"
#include "agent/instruments.h"
#include "agent/local_nodes.h"
#include "agent/membership.h"
#include "agent/office.h"
#include "api/api.h"
#include "base/base64.h"
#include "base/log.h"
#include "base/random.h"
#include "config/address.h"
#include "executor/builtin.h"
#include "model/job_json.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "state/machine.h"
#include "state/views.h"

namespace dkron::agent {
namespace {

constexpr std::size_t kWorkers = 4;
constexpr Duration kDrainPoll = milliseconds(50);
constexpr Duration kDrainLog = seconds(1);
constexpr Duration kCloseLimit = seconds(3);

std::string masked_command_line(const std::vector<std::string>& arguments) {
  std::string json = "[";
  bool hide_next = false;
  for (const std::string& argument : arguments) {
    const bool is_secret =
        argument.starts_with("--encrypt") || argument.starts_with("--mail-password");
    const auto equals = argument.find('=');
    if (json.size() > 1) json += ',';
    model::append_json_string(&json, hide_next ? "***"
                                     : is_secret && equals != std::string::npos
                                         ? argument.substr(0, equals) + "=***"
                                         : argument);
    hide_next = is_secret && equals == std::string::npos;
  }
  return json + "]";
}

class SingleServer final : public Server {
 public:
  SingleServer(net::Loop& loop, ServerOptions options, Addresses addresses)
      : loop_(loop),
        options_(std::move(options)),
        addresses_(std::move(addresses)),
        workers_(kWorkers),
        groups_(system_clock()),
        instruments_(metrics_, std::string(version())),
        gossip_instruments_(metrics_),
        spawner_(loop),
        shell_(executor::make_shell_executor(loop, spawner_)),
        http_executor_(executor::make_http_executor(loop, net::http_fetch)),
        drain_timer_(loop.make_timer()) {
    telemetry::add_process_metrics(metrics_);
  }

  ~SingleServer() override {
    close_raft();
    workers_.reset();  // Their tasks use what is destroyed next.
  }

  Result<void> open();
  void stop(std::function<void(std::size_t)> stopped) override;
  void reload(const config::Config& config) override;
  void dump_metrics() override;

 private:
  Result<void> open_state();
  Result<void> open_nodes();
  Result<void> open_raft();
  Result<void> open_membership();
  Result<void> open_api();
  runner::Services runner_services();
  api::Services api_services();
  api::Health health() const;
  std::map<std::string, std::string> tags() const;
  void refresh_metrics();
  void propose(std::vector<raft::Command> commands, raft::ProposeCallback callback,
               bool may_linger);
  void on_changes(const state::Changes& changes);
  void on_change(const state::JobChanged& change);
  void on_change(const state::JobDeleted& change);
  void on_change(const state::AttemptOpened& change);
  void on_change(const state::RetryScheduled& change) { runner_->on_change(change); }
  void on_change(const state::FollowUpOpened& change) { runner_->on_change(change); }
  void on_change(const state::AttemptFinished& change);
  void on_change(const state::InstantsSkipped& change);
  void on_change(const state::PauseChanged& change);
  void on_change(const state::StateReplaced& change);
  void drain();
  void wind_down();
  void close();
  void close_raft();

  const config::Config& config() const { return options_.config; }
  std::map<std::string, executor::Executor*> executors() {
    return {{std::string(shell_->name()), shell_.get()},
            {std::string(http_executor_->name()), http_executor_.get()}};
  }

  net::Loop& loop_;
  ServerOptions options_;
  Addresses addresses_;
  UniqueFd lock_;
  std::unique_ptr<store::Store> store_;
  std::optional<net::WorkerPool> workers_;
  state::JobIndex index_;
  runner::GroupIds groups_;
  telemetry::Metrics metrics_;
  Instruments instruments_;
  GossipInstruments gossip_instruments_;
  process::Spawner spawner_;
  std::unique_ptr<executor::Executor> shell_;
  std::unique_ptr<executor::Executor> http_executor_;
  std::unique_ptr<LocalNodes> nodes_;
  std::unique_ptr<state::Machine> machine_;
  std::unique_ptr<raft::Node> raft_;
  std::unique_ptr<runner::Launcher> launcher_;
  std::unique_ptr<runner::Runner> runner_;
  std::unique_ptr<Office> office_;
  std::unique_ptr<LeaderControl> control_;
  std::unique_ptr<Membership> membership_;
  std::unique_ptr<api::Api> api_;
  std::unique_ptr<net::HttpServer> http_;
  bool is_paused_ = false;
  bool is_stopping_ = false;
  int open_parts_ = 0;  // That still have to close.

  std::unique_ptr<net::Timer> drain_timer_;
  Duration drain_until_{0};
  Duration drain_logged_{0};
  std::function<void(std::size_t)> stopped_;
};

// ---- Start

Result<void> SingleServer::open() {
  if (auto made = make_directories(config().data_dir); !made) return made;
  auto lock = lock_file(config().data_dir / "LOCK");
  if (!lock) {
    return fail(lock.error().code, "the data directory " + config().data_dir.string() +
                                       " cannot be used: " + lock.error().message);
  }
  lock_ = std::move(*lock);
  if (auto opened = open_state(); !opened) return opened;
  if (auto opened = open_nodes(); !opened) return opened;
  if (auto opened = open_raft(); !opened) return opened;
  if (auto loaded = state::load_index(store_->reader(), &index_); !loaded) return loaded;
  auto cluster = state::read_cluster(store_->reader());
  if (!cluster) return fail(cluster.error());
  is_paused_ = cluster->paused();
  if (auto opened = open_membership(); !opened) return opened;
  return open_api();
}

Result<void> SingleServer::open_state() {
  auto store = store::Store::open(config().data_dir / "store");
  if (!store) return fail(store.error());
  store_ = std::move(*store);
  // Changes of the log's replay wait in the loop's queue until everything is built.
  auto machine = state::Machine::open(*store_, [this](state::Changes changes) {
    loop_.post([this, changes = std::make_shared<state::Changes>(std::move(changes))] {
      on_changes(*changes);
    });
  });
  if (!machine) return fail(machine.error());
  machine_ = std::move(*machine);
  return {};
}

Result<void> SingleServer::open_nodes() {
  LocalNodes::Options options{
      node::NodeRuns::Environment{loop_, *workers_, system_clock(), config().node_name,
                                  config().data_dir / "runs", executors()},
      member_tags(config(), addresses_),
      [this](auto commands, auto callback, bool may_linger) {
        propose(std::move(commands), std::move(callback), may_linger);
      },
      [this] {
        if (launcher_->held_back() > 0) launcher_->pump();
      },
      [this](bool stalled) { instruments_.on_journal_stall(stalled); }};
  auto nodes = LocalNodes::open(std::move(options));
  if (!nodes) return fail(nodes.error());
  nodes_ = std::move(*nodes);
  return {};
}

Result<void> SingleServer::open_raft() {
  raft::Options options;
  options.directory = config().data_dir / "raft";
  options.node_name = config().node_name;
  options.address = addresses_.rpc;
  options.bootstrap = config().bootstrap_expect == 1 || config().bootstrap || config().devmode;
  options.multiplier = config().raft_multiplier;
  options.post = loop_.poster();
  options.on_fatal = options_.on_fatal;
  options.on_role_change = [this] {
    if (office_ != nullptr) office_->on_role_change();
  };
  auto raft = raft::Node::open(std::move(options), *machine_);
  if (!raft) return fail(raft.error());
  raft_ = std::move(*raft);
  launcher_ = std::make_unique<runner::Launcher>(runner_services(), groups_);
  runner_ = std::make_unique<runner::Runner>(runner_services(), groups_);
  office_ = std::make_unique<Office>(
      Office::Services{*raft_, runner_services(), *launcher_, *runner_, [this] {
                         instruments_.scheduler_started();
                         nodes_->resume();
                       }});
  return {};
}

Result<void> SingleServer::open_membership() {
  auto options = membership_options(config(), addresses_, tags());
  if (!options) return fail(options.error());
  Membership::Handlers handlers{nullptr, options_.on_fatal};
  auto membership =
      Membership::start(loop_, *workers_, system_clock(), std::move(*options), std::move(handlers));
  if (!membership) return fail(membership.error());
  membership_ = std::move(*membership);
  return {};
}

std::map<std::string, std::string> SingleServer::tags() const {
  auto tags = member_tags(config(), addresses_);
  tags[std::string(kClusterIdTag)] = std::to_string(raft_->identity().cluster_id);
  return tags;
}

Result<void> SingleServer::open_api() {
  control_ = std::make_unique<LeaderControl>(LeaderControl::Services{
      runner_services(), groups_, executors(), [this] { return office_->is_held(); },
      [this] { return raft_->status().leader_name; }});
  api_ = std::make_unique<api::Api>(api_services());
  net::HttpServerOptions options;
  options.host = addresses_.http.host;
  options.port = addresses_.http.port;
  options.body_limit = [this](net::Method method, std::string_view path) {
    return api_->body_limit(method, path);
  };
  auto http = net::HttpServer::listen(loop_, std::move(options),
                                      [this](net::Request request, net::Responder responder) {
                                        api_->handle(std::move(request), std::move(responder));
                                      });
  if (!http)
    return fail(http.error().code, "api: Error starting HTTP server: " + http.error().message);
  http_ = std::move(*http);
  log::info("api: Running HTTP server",
            {{"address", config::join_host_port(addresses_.http.host, http_->port())}});
  log::info("dkron: monitoring leadership");
  // The role may have changed before the office existed.
  loop_.post([this] { office_->on_role_change(); });
  return {};
}

runner::Services SingleServer::runner_services() {
  return runner::Services{loop_,
                          system_clock(),
                          *workers_,
                          *store_,
                          index_,
                          *nodes_,
                          [this](auto commands, auto callback, bool may_linger) {
                            propose(std::move(commands), std::move(callback), may_linger);
                          },
                          TimeZone::local(),
                          system_random(),
                          instruments_.runner_counters()};
}

void SingleServer::propose(std::vector<raft::Command> commands, raft::ProposeCallback callback,
                           bool may_linger) {
  // What waits behind a full disk would wait without end, and nobody would know why.
  if (store_->is_out_of_space()) {
    loop_.post([callback = std::move(callback)] {
      callback(fail(ErrorCode::Unavailable, "the disk is full"));
    });
    return;
  }
  raft_->propose(std::move(commands), std::move(callback), may_linger);
}

api::Services SingleServer::api_services() {
  api::Services services{loop_, *workers_, system_clock(), *control_, index_, *store_};
  services.node_name = config().node_name;
  services.version = version();
  services.ui_enabled = config().ui;
  services.members = [this] { return membership_->members(); };
  services.gossip_status = [this] { return membership_->status(); };
  services.manage_keys = [this](auto action, const std::string& key, auto done) {
    membership_->manage_keys(action, key, std::move(done));
  };
  services.health = [this] { return health(); };
  services.warnings = [this](const model::Job& job) { return control_->warnings(job); };
  services.running = [this] { return nodes_->runs().running(); };
  services.is_paused = [this] { return is_paused_; };
  services.variables = [this] {
    std::string json = "{\"cmdline\":" + masked_command_line(options_.command_line) + ",\"node\":";
    model::append_json_string(&json, config().node_name);
    return json + ",\"scheduler_started\":" + (office_->is_held() ? "1}" : "0}");
  };
  if (config().enable_prometheus) {
    services.refresh_metrics = [this] { refresh_metrics(); };
    services.metrics = [this] { return metrics_.text(); };
  }
  return services;
}

void SingleServer::refresh_metrics() {
  instruments_.show({raft_->status(), office_->is_held(), index_.size(), nodes_->runs().active(),
                     nodes_->waiting(), launcher_->held_back()});
  gossip_instruments_.show(membership_->serf());
}

api::Health SingleServer::health() const {
  const raft::Status status = raft_->status();
  api::Health health;
  health.is_leader = office_->is_held();
  health.is_ready = office_->is_held() && !is_stopping_;
  health.is_stopping = is_stopping_;
  health.leader = status.leader_name;
  health.raft_state = to_string(status.role);
  return health;
}

// ---- Changes

void SingleServer::on_changes(const state::Changes& changes) {
  if (http_ == nullptr) return;  // The start failed.
  for (const state::Change& change : changes) {
    std::visit([this](const auto& c) { on_change(c); }, change);
  }
}

void SingleServer::on_change(const state::JobChanged& change) {
  index_.apply(change);
  launcher_->on_change(change);
}

void SingleServer::on_change(const state::JobDeleted& change) {
  index_.apply(change);
  launcher_->on_change(change);
  control_->on_change(change);
  instruments_.on_change(change);
}

void SingleServer::on_change(const state::AttemptOpened& change) {
  control_->on_change(change);
  runner_->on_change(change);
}

void SingleServer::on_change(const state::AttemptFinished& change) {
  control_->on_change(change);
  if (office_->is_held()) instruments_.on_change(change);
}

void SingleServer::on_change(const state::InstantsSkipped& change) {
  if (office_->is_held()) instruments_.on_change(change);
}

void SingleServer::on_change(const state::PauseChanged& change) {
  is_paused_ = change.paused;
  log::info(change.paused ? "agent: New job submissions paused"
                          : "agent: New job submissions resumed");
}

// At the start the index is loaded behind the restore, so it has everything already.
void SingleServer::on_change(const state::StateReplaced&) {
  if (auto loaded = state::load_index(store_->reader(), &index_); !loaded)
    options_.on_fatal(loaded.error());
}

// ---- Signals: reload, metrics and stop

void SingleServer::reload(const config::Config& config) {
  options_.config.tags = config.tags;
  nodes_->set_tags(tags());
  if (auto set = membership_->set_tags(tags()); !set) {
    log::error("agent: the new tags are not told to the other members", {{"error", set.error()}});
  }
}

// Written by a worker, since who reads the stream may be slow.
void SingleServer::dump_metrics() {
  refresh_metrics();
  const bool accepted = workers_->try_post([this] { log::write_lines(metrics_.text()); });
  if (!accepted) log::error("agent: the metrics cannot be written, too much waits for the workers");
}

void SingleServer::stop(std::function<void(std::size_t)> stopped) {
  stopped_ = std::move(stopped);
  is_stopping_ = true;
  control_->refuse_new();
  office_->stop_launching();
  const Duration now = system_clock().steady();
  drain_until_ =
      config().drain_timeout == Duration(0) ? Duration::max() : now + config().drain_timeout;
  drain();
}

void SingleServer::drain() {
  const Duration now = system_clock().steady();
  const std::size_t active = nodes_->runs().active();
  if (nodes_->runs().unsettled() == 0 || now >= drain_until_) {
    if (active == 0) {
      log::info("No jobs left. Exiting.");
    } else {
      log::warning("Jobs are still running; the next start of this node watches them",
                   {{"runs", active}});
    }
    wind_down();
    return;
  }
  if (now - drain_logged_ >= kDrainLog) {
    log::info("Waiting for jobs to finish...", {{"runs", active}});
    drain_logged_ = now;
  }
  drain_timer_->start(kDrainPoll, [this] { drain(); });
}

// The other members hear of it, and clients get the answers that they wait for.
void SingleServer::wind_down() {
  control_->give_up_waiting();
  open_parts_ = 2;
  const auto part_closed = [this] {
    if (--open_parts_ == 0) close();
  };
  membership_->leave(part_closed);
  const auto http_closed = [part_closed, is_done = std::make_shared<bool>(false)] {
    if (!std::exchange(*is_done, true)) part_closed();
  };
  // A client that does not read its answer must not hold the process.
  drain_timer_->start(kCloseLimit, http_closed);
  http_->stop(http_closed);
}

void SingleServer::close_raft() {
  if (store_ != nullptr) store_->stop_waiting();
  if (raft_ != nullptr) raft_->close();
}

void SingleServer::close() {
  drain_timer_->cancel();
  const auto stopped = std::exchange(stopped_, nullptr);
  if (!stopped) return;
  const std::size_t left = nodes_->runs().active();
  close_raft();
  stopped(left);
}

}  // namespace

std::string_view version() {
  return DKRON_VERSION;
}

Result<std::unique_ptr<Server>> Server::start(net::Loop& loop, ServerOptions options) {
  auto addresses = resolve_addresses(options.config);
  if (!addresses) return fail(addresses.error());
  auto server = std::make_unique<SingleServer>(loop, std::move(options), std::move(*addresses));
  if (auto opened = server->open(); !opened) return fail(opened.error());
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace dkron::agent
