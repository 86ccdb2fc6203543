#include "agent/daemon.h"

#include "agent/agent_daemon.h"
#include "agent/server_daemon.h"

namespace dkron::agent {
namespace {

template <class Kind>
Result<std::unique_ptr<Daemon>> open(net::Loop& loop, DaemonOptions options, Addresses addresses) {
  auto daemon = std::make_unique<Kind>(loop, std::move(options), std::move(addresses));
  if (auto opened = daemon->open(); !opened) return fail(opened.error());
  return std::unique_ptr<Daemon>(std::move(daemon));
}

}  // namespace

std::string_view version() {
  return DKRON_VERSION;
}

Result<std::unique_ptr<Daemon>> Daemon::start(net::Loop& loop, DaemonOptions options) {
  auto addresses = resolve_addresses(options.config);
  if (!addresses) return fail(addresses.error());
  return options.config.server ? open<ServerDaemon>(loop, std::move(options), std::move(*addresses))
                               : open<AgentDaemon>(loop, std::move(options), std::move(*addresses));
}

}  // namespace dkron::agent
