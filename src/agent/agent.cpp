#include "agent/agent.h"

#include <unistd.h>

#include <csignal>

#include "agent/daemon.h"
#include "base/base64.h"
#include "base/log.h"

namespace dkron::agent {
namespace {

tl::unexpected<Error> invalid(std::string message) {
  return fail(ErrorCode::InvalidArgument, std::move(message));
}

Result<void> check(const config::Config& config) {
  if (config.profile != "lan" && config.profile != "wan" && config.profile != "local") {
    return invalid("agent: Can not setup serf, unknown profile: " + config.profile);
  }
  if (config.encrypt.empty()) return {};
  const auto key = decode_base64(config.encrypt);
  if (!key)
    return invalid("agent: Can not setup serf, invalid encryption key: " + key.error().message);
  if (key->size() != 16 && key->size() != 24 && key->size() != 32) {
    return invalid(
        "agent: Can not setup serf, invalid encryption key: key size must be 16, 24 or 32 bytes");
  }
  return {};
}

std::string_view signal_name(int signal) {
  switch (signal) {
    case SIGHUP: return "hangup";
    case SIGINT: return "interrupt";
    case SIGUSR1: return "user defined signal 1";
    default: return "terminated";
  }
}

// A signal handler: only what is safe in one.
void exit_at_once(int) noexcept {
  constexpr char kText[] = "agent: stopped by a second signal, nothing more is waited for\n";
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, kText, sizeof kText - 1);
  ::_exit(1);
}

class Agent {
 public:
  Agent(const config::Sources& sources, std::vector<std::string> command_line)
      : sources_(sources), command_line_(std::move(command_line)) {}

  Result<int> run();

 private:
  Result<config::Loaded> load();
  void on_signal(int signal);
  void stop(Daemon::Stop how);
  void reload();

  const config::Sources& sources_;
  std::vector<std::string> command_line_;
  net::Loop loop_;
  std::unique_ptr<Daemon> daemon_;
  int exit_status_ = 0;
};

Result<config::Loaded> Agent::load() {
  auto loaded = config::load(sources_);
  if (!loaded) return loaded;
  if (auto checked = check(loaded->config); !checked) return fail(checked.error());
  return loaded;
}

Result<int> Agent::run() {
  auto loaded = load();
  if (!loaded) return fail(loaded.error());
  const config::Config& config = loaded->config;
  log::configure({config.log_level, config.log_format, config.node_name});
  if (!loaded->file) log::info("No valid config found: Applying default values.");
  for (const std::string& warning : loaded->warnings) log::warning("config: " + warning);
  log::info("agent: Dkron agent starting",
            {{"version", version()}, {"data_dir", config.data_dir.string()}});

  // From the first moment on: a signal during a long start is handled behind it.
  loop_.on_signals({SIGTERM, SIGINT, SIGHUP, SIGUSR1}, [this](int signal) { on_signal(signal); });
  const auto on_fatal = [this](const Error& error) {
    log::fatal("agent: the node cannot go on", {{"error", error}});
    exit_status_ = 1;
    loop_.stop();
  };
  auto daemon = Daemon::start(
      loop_, {config, command_line_, on_fatal, [this] { stop(Daemon::Stop::Leave); }});
  if (!daemon) return fail(daemon.error());
  daemon_ = std::move(*daemon);
  loop_.run();
  daemon_.reset();
  return exit_status_;
}

void Agent::on_signal(int signal) {
  log::info("Caught signal: " + std::string(signal_name(signal)));
  if (signal == SIGHUP) {
    reload();
  } else if (signal == SIGUSR1) {
    daemon_->dump_metrics();
  } else {
    stop(Daemon::Stop::Pause);
  }
}

void Agent::stop(Daemon::Stop how) {
  // The second signal ends the process at once, wherever it is: also while closing blocks the loop.
  for (const int signal : {SIGTERM, SIGINT}) std::signal(signal, exit_at_once);
  log::info("agent: Gracefully shutting down agent...");
  daemon_->stop(how, [this](std::size_t) { loop_.stop(); });
}

void Agent::reload() {
  log::info("Reloading configuration...");
  auto loaded = load();
  if (!loaded) {
    log::error("agent: the configuration is kept, the new one is not valid",
               {{"error", loaded.error()}});
    return;
  }
  log::set_level(loaded->config.log_level);
  daemon_->reload(loaded->config);
}

}  // namespace

Result<int> run_agent(const config::Sources& sources, std::vector<std::string> command_line) {
  return Agent(sources, std::move(command_line)).run();
}

}  // namespace dkron::agent
