#include "agent/server_daemon.h"

#include <algorithm>

#include "base/log.h"
#include "base/random.h"
#include "config/address.h"
#include "model/job_json.h"
#include "runner/report.h"
#include "state/views.h"

namespace dkron::agent {
namespace {

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

}  // namespace

ServerDaemon::ServerDaemon(net::Loop& loop, DaemonOptions options, Addresses addresses)
    : core_(loop, std::move(options), std::move(addresses)),
      groups_(system_clock()),
      instruments_(core_.metrics(), std::string(version())),
      stop_timer_(loop.make_timer()) {}

ServerDaemon::~ServerDaemon() {
  close_raft();
  core_.stop_workers();
}

// ---- Start

Result<void> ServerDaemon::open() {
  auto opened = core_.open_local(
      {[this](rpc::RunResult result, auto done) {
         take_result(std::move(result), std::move(done));
       },
       [this](std::uint64_t uid, const model::Execution& e) { propose_started(uid, e); },
       [this] {
         if (launcher_->held_back() > 0) launcher_->pump();
       },
       [this](bool stalled) { instruments_.on_journal_stall(stalled); }});
  if (!opened) return opened;
  if (opened = open_state(); !opened) return opened;
  if (opened = open_raft(); !opened) return opened;
  open_leader();
  if (auto loaded = state::load_index(store_->reader(), &index_); !loaded) return loaded;
  auto cluster = state::read_cluster(store_->reader());
  if (!cluster) return fail(cluster.error());
  is_paused_ = cluster->paused();
  if (opened = open_calls(); !opened) return opened;
  if (opened = open_api(); !opened) return opened;
  leaderless_->start();
  founder_->start();
  // The role may have changed before anybody listened.
  core_.loop().post([this] { on_raft_change(); });
  return {};
}

Result<void> ServerDaemon::open_state() {
  auto store = store::Store::open(config().data_dir / "store");
  if (!store) return fail(store.error());
  store_ = std::move(*store);
  // Changes of the log's replay wait in the loop's queue until everything is built.
  auto machine = state::Machine::open(*store_, [this](state::Changes changes) {
    core_.loop().post([this, changes = std::make_shared<state::Changes>(std::move(changes))] {
      on_changes(*changes);
    });
  });
  if (!machine) return fail(machine.error());
  machine_ = std::move(*machine);
  return {};
}

Result<void> ServerDaemon::open_raft() {
  raft::Options options;
  options.directory = config().data_dir / "raft";
  options.node_name = config().node_name;
  options.address = core_.addresses().rpc();
  options.bootstrap = config().bootstrap_expect == 1 || config().bootstrap || config().devmode;
  options.multiplier = config().raft_multiplier;
  options.post = core_.loop().poster();
  options.on_fatal = core_.options().on_fatal;
  options.on_change = [this] { on_raft_change(); };
  options.dial = [this](const raft::Server& server, std::function<void(Result<UniqueFd>)> done) {
    core_.dial(server.node_name, server.address, std::move(done));
  };
  auto raft = raft::Node::open(std::move(options), *machine_);
  if (!raft) return fail(raft.error());
  raft_ = std::move(*raft);
  return {};
}

void ServerDaemon::open_leader() {
  remote_ = std::make_unique<RemoteRuns>(remote_services());
  nodes_ = std::make_unique<ClusterNodes>(config().node_name, core_.peers(), core_.own_runs(),
                                          *remote_, system_random());
  launcher_ = std::make_unique<runner::Launcher>(runner_services(), groups_);
  runner_ = std::make_unique<runner::Runner>(runner_services(), groups_);
  leaderless_ = std::make_unique<Leaderless>(Leaderless::Services{
      core_.loop(), system_clock(), *raft_, core_.peers(), config().node_name});
  office_ =
      std::make_unique<Office>(Office::Services{*raft_, runner_services(), *launcher_, *runner_,
                                                [this] { on_taken(); }, [this] { on_lost(); }});
  control_ = std::make_unique<LeaderControl>(LeaderControl::Services{
      runner_services(), groups_, core_.executors(), [this] { return office_->is_held(); },
      [this] { return raft_->status().leader_name; }});
  forwarding_ = std::make_unique<ForwardingControl>(ForwardingControl::Services{
      core_.loop(), system_clock(), *control_, core_.client(), [this] { return leader_address(); },
      [this] { return !is_stopping_ && leaderless_->is_leader_near(); },
      [this] { return leaderless_->why(); }});
  founder_ = std::make_unique<Founder>(
      Founder::Services{core_.loop(), system_clock(), core_.peers(), core_.client(),
                        config().node_name, config().bootstrap_expect,
                        [this] { return raft_->status().role == raft::Status::Role::Outside; },
                        [this](rpc::OnDone done) { found(std::move(done)); }});
  keeper_ = std::make_unique<GroupKeeper>(
      GroupKeeper::Services{core_.loop(), system_clock(), *raft_, core_.peers(), core_.client(),
                            config().node_name, config().dead_server_limit});
}

Result<void> ServerDaemon::open_calls() {
  node_calls_ = std::make_unique<NodeCalls>(
      core_.own_runs(), [this](bool force, rpc::OnDone done) { leave(force, std::move(done)); });
  server_calls_ = std::make_unique<ServerCalls>(ServerCalls::Services{
      config().node_name, runner_services(), *raft_, core_.peers(), core_.client(), *control_,
      *forwarding_, core_.own_runs(), *remote_, *founder_, [this] { return office_->is_held(); },
      [this] { return leader_address(); }, [this] { return leaderless_->why(); },
      [this](rpc::Adoption adoption, rpc::OnDone done) { adopt(adoption, std::move(done)); },
      [this](const std::string& name) {
        return core_.membership().serf().force_leave(name, false);
      }});
  reads_ = std::make_unique<ConsistentReads>(
      ConsistentReads::Services{core_.loop(), system_clock(),
                                [this](rpc::ServerService::OnIndex done) {
                                  server_calls_->read_index(false, std::move(done));
                                },
                                [this] { return raft_->status().applied_index; }});
  return core_.open_network(
      {node_calls_.get(), server_calls_.get(),
       [this](UniqueFd connection, const std::string&) { raft_->accept(std::move(connection)); },
       [this] { return tags(); }, [this](const std::string& name) { on_peer_change(name); }});
}

Result<void> ServerDaemon::open_api() {
  api_ = std::make_unique<api::Api>(api_services());
  net::HttpServerOptions options;
  const config::HostPort& address = core_.addresses().http;
  options.host = address.host;
  options.port = address.port;
  if (config().tls.for_http) options.tls = core_.tls();
  options.body_limit = [this](net::Method method, std::string_view path) {
    return api_->body_limit(method, path);
  };
  auto http = net::HttpServer::listen(core_.loop(), std::move(options),
                                      [this](net::Request request, net::Responder responder) {
                                        api_->handle(std::move(request), std::move(responder));
                                      });
  if (!http)
    return fail(http.error().code, "api: Error starting HTTP server: " + http.error().message);
  http_ = std::move(*http);
  log::info("api: Running HTTP server",
            {{"address", config::join_host_port(address.host, http_->port())}});
  log::info("dkron: monitoring leadership");
  return {};
}

// ---- What the parts need

runner::Services ServerDaemon::runner_services() {
  return runner::Services{core_.loop(),
                          system_clock(),
                          core_.workers(),
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

RemoteRuns::Services ServerDaemon::remote_services() {
  return RemoteRuns::Services{
      core_.loop(),
      system_clock(),
      core_.peers(),
      core_.client(),
      [this] { return raft_->identity().cluster_id; },
      [this](std::uint64_t uid, const model::Execution& e) { propose_started(uid, e); },
      [this](std::uint64_t uid, model::Execution execution) {
        take_result({std::move(execution), uid}, [](const Result<rpc::RunResultAnswer>&) {});
      },
      [this] {
        core_.loop().post([this] {
          if (launcher_->held_back() > 0) launcher_->pump();
        });
      }};
}

void ServerDaemon::propose(std::vector<raft::Command> commands, raft::ProposeCallback callback,
                           bool may_linger) {
  // What waits behind a full disk would wait without end, and nobody would know why.
  if (store_->is_out_of_space()) {
    core_.loop().post([callback = std::move(callback)] {
      callback(fail(ErrorCode::Unavailable, "the disk is full"));
    });
    return;
  }
  raft_->propose(std::move(commands), std::move(callback), may_linger);
}

// A start that is not recorded is only not shown; the result tells it again.
void ServerDaemon::propose_started(std::uint64_t uid, const model::Execution& execution) {
  if (!office_->is_held()) return;
  propose(
      {runner::started_command(uid, execution)}, [](const Result<std::vector<raft::Outcome>>&) {},
      true);
}

void ServerDaemon::take_result(rpc::RunResult result, rpc::ServerService::OnResult done) {
  server_calls_->take_result(std::move(result), false, std::move(done));
}

std::string ServerDaemon::leader_address() const {
  const raft::Status status = raft_->status();
  if (!status.has_leader || status.leader_name == config().node_name) return {};
  const auto& servers = status.configuration;
  const auto leader = std::find_if(
      servers.begin(), servers.end(),
      [&status](const raft::Server& server) { return server.node_name == status.leader_name; });
  return core_.peers().rpc_address(status.leader_name,
                                   leader != servers.end() ? leader->address : std::string());
}

std::map<std::string, std::string> ServerDaemon::tags() const {
  auto tags = member_tags(config(), core_.addresses());
  const std::uint64_t cluster_id = raft_->identity().cluster_id;
  if (cluster_id != 0) tags[std::string(kClusterIdTag)] = std::to_string(cluster_id);
  if (leaves_for_good_) tags[std::string(kLeavingTag)] = "true";
  return tags;
}

api::Services ServerDaemon::api_services() {
  api::Services services{core_.loop(), core_.workers(), system_clock(),
                         *forwarding_, index_,          *store_};
  services.node_name = config().node_name;
  services.version = version();
  services.ui_enabled = config().ui;
  services.members = [this] { return core_.membership().members(); };
  services.gossip_status = [this] { return core_.membership().status(); };
  services.manage_keys = [this](auto action, const std::string& key, auto done) {
    core_.membership().manage_keys(action, key, std::move(done));
  };
  services.health = [this] { return health(); };
  services.warnings = [this](const model::Job& job) { return control_->warnings(job); };
  services.busy = [this](auto done) { list_busy(std::move(done)); };
  services.leave = [this](auto done) { leave(false, std::move(done)); };
  services.catch_up = [this](auto done) { reads_->wait(std::move(done)); };
  services.is_paused = [this] { return is_paused_; };
  services.variables = [this] {
    std::string json =
        "{\"cmdline\":" + masked_command_line(core_.options().command_line) + ",\"node\":";
    model::append_json_string(&json, config().node_name);
    return json + ",\"scheduler_started\":" + (office_->is_held() ? "1}" : "0}");
  };
  if (config().enable_prometheus) {
    services.refresh_metrics = [this] { refresh_metrics(); };
    services.metrics = [this] { return core_.metrics().text(); };
  }
  return services;
}

// The leader follows all runs of the cluster; without one it is only known what runs here.
void ServerDaemon::list_busy(std::function<void(api::Busy)> done) {
  if (office_->is_held()) {
    done({server_calls_->active_executions(), {}});
    return;
  }
  const std::string leader = leader_address();
  const auto own = [this](const std::string& why) {
    return api::Busy{core_.own_runs().runs().running(), why};
  };
  if (leader.empty()) return done(own(leaderless_->why()));
  core_.client().active_executions(
      leader, seconds(5), [done, own](Result<std::vector<model::Execution>> executions) {
        done(executions ? api::Busy{std::move(*executions), {}}
                        : own("the leader did not answer: " + executions.error().message));
      });
}

void ServerDaemon::refresh_metrics() {
  instruments_.show({raft_->status(), office_->is_held(), index_.size(),
                     core_.own_runs().runs().active(), nodes_->waiting(), launcher_->held_back()});
  core_.gossip_instruments().show(core_.membership().serf());
}

void ServerDaemon::dump_metrics() {
  refresh_metrics();
  core_.dump_metrics();
}

api::Health ServerDaemon::health() const {
  const raft::Status status = raft_->status();
  api::Health health;
  health.is_leader = office_->is_held();
  // A leader that has not yet taken office cannot do what is asked of it.
  const bool is_taking = status.role == raft::Status::Role::Leader && !office_->is_held();
  health.is_ready = status.has_leader && !is_taking && !is_stopping_;
  health.is_stopping = is_stopping_;
  health.leader = status.has_leader ? status.leader_name : "";
  health.raft_state = to_string(status.role);
  if (!status.has_leader) health.why_not_ready = leaderless_->why();
  return health;
}

// ---- Becoming part of a cluster

void ServerDaemon::found(rpc::OnDone done) {
  raft_->found([done = std::move(done)](const Result<void>& founded) { done(founded); });
}

void ServerDaemon::adopt(const rpc::Adoption& adoption, rpc::OnDone done) {
  raft_->adopt(adoption.cluster_id, adoption.recovery_epoch,
               [adoption, done = std::move(done)](const Result<void>& adopted) {
                 if (adopted) {
                   log::info(
                       "dkron: this server belongs to a cluster from now on",
                       {{"cluster_id", adoption.cluster_id}, {"leader", adoption.leader_name}});
                 }
                 done(adopted);
               });
}

// ---- News

void ServerDaemon::on_raft_change() {
  if (http_ == nullptr) return;  // Looked at when everything is built.
  office_->on_role_change();
  keeper_->look();
  leaderless_->look();
  const std::uint64_t cluster_id = raft_->identity().cluster_id;
  if (std::exchange(told_cluster_id_, cluster_id) == cluster_id) return;
  core_.own_runs().set_cluster_id(cluster_id);
  core_.refresh_tags();
}

void ServerDaemon::on_peer_change(const std::string& name) {
  if (http_ == nullptr) return;
  remote_->on_peer_change(name);
  keeper_->look();
  founder_->look();
}

void ServerDaemon::on_taken() {
  instruments_.scheduler_started();
  keeper_->start();
}

void ServerDaemon::on_lost() {
  keeper_->stop();
  remote_->stop();
}

void ServerDaemon::on_changes(const state::Changes& changes) {
  if (http_ == nullptr) return;  // The start failed.
  for (const state::Change& change : changes) {
    std::visit([this](const auto& c) { on_change(c); }, change);
  }
}

void ServerDaemon::on_change(const state::JobChanged& change) {
  index_.apply(change);
  launcher_->on_change(change);
}

void ServerDaemon::on_change(const state::JobDeleted& change) {
  index_.apply(change);
  launcher_->on_change(change);
  control_->on_change(change);
  remote_->on_change(change);
  instruments_.on_change(change);
}

void ServerDaemon::on_change(const state::AttemptOpened& change) {
  control_->on_change(change);
  runner_->on_change(change);
}

void ServerDaemon::on_change(const state::AttemptFinished& change) {
  control_->on_change(change);
  remote_->on_change(change);
  if (office_->is_held()) instruments_.on_change(change);
}

void ServerDaemon::on_change(const state::InstantsSkipped& change) {
  if (office_->is_held()) instruments_.on_change(change);
}

void ServerDaemon::on_change(const state::PauseChanged& change) {
  is_paused_ = change.paused;
  log::info(change.paused ? "agent: New job submissions paused"
                          : "agent: New job submissions resumed");
}

// At the start the index is loaded behind the restore, so it has everything already.
void ServerDaemon::on_change(const state::StateReplaced&) {
  if (auto loaded = state::load_index(store_->reader(), &index_); !loaded)
    core_.options().on_fatal(loaded.error());
}

}  // namespace dkron::agent
