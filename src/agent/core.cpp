#include "agent/core.h"

#include "base/log.h"
#include "executor/builtin.h"
#include "net/http_client.h"

namespace dkron::agent {
namespace {

constexpr std::size_t kWorkers = 4;
constexpr Duration kDrainPoll = milliseconds(50);
constexpr Duration kDrainLog = seconds(1);
constexpr Duration kSettleLimit = seconds(5);
constexpr Duration kDialLimit = seconds(5);

}  // namespace

Core::Core(net::Loop& loop, DaemonOptions options, Addresses addresses)
    : loop_(loop),
      options_(std::move(options)),
      addresses_(std::move(addresses)),
      workers_(kWorkers),
      gossip_instruments_(metrics_),
      spawner_(loop),
      shell_(executor::make_shell_executor(loop, spawner_)),
      http_executor_(executor::make_http_executor(loop, net::http_fetch)),
      peers_(system_clock(), config().region),
      drain_timer_(loop.make_timer()) {
  telemetry::add_process_metrics(metrics_);
}

Core::~Core() {
  workers_.reset();  // Their tasks use what is destroyed next.
}

std::map<std::string, executor::Executor*> Core::executors() {
  return {{std::string(shell_->name()), shell_.get()},
          {std::string(http_executor_->name()), http_executor_.get()}};
}

// ---- Start

Result<void> Core::open_local(RunHooks hooks) {
  if (auto made = make_directories(config().data_dir); !made) return made;
  auto lock = lock_file(config().data_dir / "LOCK");
  if (!lock) {
    return fail(lock.error().code, "the data directory " + config().data_dir.string() +
                                       " cannot be used: " + lock.error().message);
  }
  lock_ = std::move(*lock);
  if (auto opened = open_tls(); !opened) return opened;
  if (auto opened = open_port(); !opened) return opened;
  rpc::Client::Options client{config().node_name, config().server, {}};
  if (tls_ != nullptr) {
    const net::TlsTexts texts = tls_->texts();
    client.tls = {texts.trusted, texts.certificate, texts.key, {}};
  }
  client_ = rpc::Client::make(loop_, std::move(client));
  auto own = OwnRuns::open({{loop_, *workers_, system_clock(), config().node_name,
                             config().data_dir / "runs", executors()},
                            0,
                            std::move(hooks.deliver),
                            std::move(hooks.on_started),
                            std::move(hooks.on_room),
                            std::move(hooks.on_journal_stall)});
  if (!own) return fail(own.error());
  own_runs_ = std::move(*own);
  return {};
}

Result<void> Core::open_tls() {
  const config::Tls& files = config().tls;
  if (!files.is_on()) return {};
  auto tls = net::Tls::open(
      {files.certificate, files.key, files.trusted, files.revoked, files.verify_clients});
  if (!tls) return fail(tls.error());
  tls_ = std::move(*tls);
  return {};
}

// Early, since its number may be the system's choice, and raft tells it to the others. Connections
// that come before there is anybody to take them are closed.
Result<void> Core::open_port() {
  net::Port::Options options;
  options.host = addresses_.bind.host;
  options.port = static_cast<std::uint16_t>(config().rpc_port);
  options.tls = tls_;
  net::Port::Handlers handlers;
  handlers.grpc = [this](UniqueFd connection, std::string peer) {
    if (rpc_ != nullptr) rpc_->accept(std::move(connection), std::move(peer));
  };
  handlers.raft = [this](UniqueFd connection, std::string peer) {
    if (network_.raft) network_.raft(std::move(connection), std::move(peer));
  };
  auto port = net::Port::listen(loop_, std::move(options), std::move(handlers));
  if (!port) {
    return fail(port.error().code,
                "agent: Error listening on the RPC port: " + port.error().message);
  }
  port_ = std::move(*port);
  if (addresses_.rpc_port == 0) addresses_.rpc_port = port_->port();
  return {};
}

Result<void> Core::open_network(NetworkHooks hooks) {
  network_ = std::move(hooks);
  auto rpc = rpc::Server::start(loop_, {*network_.node, network_.server, config().node_name});
  if (!rpc) return fail(rpc.error());
  rpc_ = std::move(*rpc);
  auto membership = membership_options(config(), addresses_, tags());
  if (!membership) return fail(membership.error());
  Membership::Handlers events{[this](const gossip::MemberEvent& e) { on_member_event(e); },
                              options_.on_fatal};
  auto started = Membership::start(loop_, *workers_, system_clock(), std::move(*membership),
                                   std::move(events));
  if (!started) return fail(started.error());
  membership_ = std::move(*started);
  for (const gossip::Member& member : membership_->serf().members()) peers_.apply(member);
  // The news that this node is there comes later; it may lead, and launch, before.
  gossip::Member self = membership_->serf().local();
  self.status = gossip::MemberStatus::Alive;
  peers_.apply(self);
  own_runs_->resume();
  return {};
}

void Core::on_member_event(const gossip::MemberEvent& event) {
  peers_.apply(event);
  for (const gossip::Member& member : event.members) network_.on_peer_change(member.name);
}

// ---- Calls to others

void Core::dial(const std::string& node_name, const std::string& known_address,
                std::function<void(Result<UniqueFd>)> done) {
  loop_.post([this, node_name, known_address, done = std::move(done)]() mutable {
    net::dial(loop_, *workers_,
              {peers_.rpc_address(node_name, known_address), kDialLimit, tls_, {}},
              std::move(done));
  });
}

// ---- Changes while running

std::map<std::string, std::string> Core::tags() const {
  auto tags = network_.tags();
  tags[std::string(kLedgerTag)] = "1";
  if (is_draining_) tags[std::string(kDrainingTag)] = "true";
  return tags;
}

void Core::refresh_tags() {
  if (membership_ == nullptr) return;
  if (auto set = membership_->set_tags(tags()); !set) {
    log::error("agent: the new tags are not told to the other members", {{"error", set.error()}});
  }
}

void Core::reload(const config::Config& config) {
  options_.config.tags = config.tags;
  refresh_tags();
  if (tls_ == nullptr) return;
  if (auto reloaded = tls_->reload(); !reloaded) {
    log::error("agent: the certificates are kept, the new ones are not valid",
               {{"error", reloaded.error()}});
    return;
  }
  const net::TlsTexts texts = tls_->texts();
  client_->set_tls({texts.trusted, texts.certificate, texts.key, {}});
}

// Written by a worker, since who reads the stream may be slow.
void Core::dump_metrics() {
  gossip_instruments_.show(membership_->serf());
  const bool accepted = workers_->try_post([this] { log::write_lines(metrics_.text()); });
  if (!accepted) log::error("agent: the metrics cannot be written, too much waits for the workers");
}

// ---- Stop

void Core::drain(std::function<void(std::size_t)> drained) {
  drained_ = std::move(drained);
  is_draining_ = true;
  refresh_tags();
  const Duration now = system_clock().steady();
  drain_until_ =
      config().drain_timeout == Duration(0) ? Duration::max() : now + config().drain_timeout;
  settle_until_ = now + kSettleLimit;
  keep_draining();
}

void Core::keep_draining() {
  const Duration now = system_clock().steady();
  const std::size_t active = own_runs_->runs().active();
  // Results that nobody takes (there may be no leader) are kept for the next start.
  if (active > 0) settle_until_ = now + kSettleLimit;
  const bool is_settled = own_runs_->runs().unsettled() == 0 || now >= settle_until_;
  if (is_settled || now >= drain_until_) {
    own_runs_->refuse_new();
    if (active == 0) {
      log::info("No jobs left. Exiting.");
    } else {
      log::warning("Jobs are still running; the next start of this node watches them",
                   {{"runs", active}});
    }
    std::exchange(drained_, nullptr)(active);
    return;
  }
  if (now - drain_logged_ >= kDrainLog) {
    log::info("Waiting for jobs to finish...", {{"runs", active}});
    drain_logged_ = now;
  }
  drain_timer_->start(kDrainPoll, [this] { keep_draining(); });
}

void Core::stop_network() {
  drain_timer_->cancel();
  port_.reset();
  if (rpc_ != nullptr) rpc_->stop();
}

}  // namespace dkron::agent
