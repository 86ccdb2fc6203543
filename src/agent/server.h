// Server: everything that makes a node a server, built, wired and taken down in the right order.
//
// The composition root: the only place besides cli/ that knows the concrete types of all folders.
// Lives on the main loop's thread, which its caller runs.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "config/config.h"
#include "net/loop.h"

namespace dkron::agent {

struct ServerOptions {
  config::Config config;
  std::vector<std::string> command_line;  // Shown in /debug/vars, secrets masked.
  std::function<void(Error)> on_fatal;    // The server can no longer work; called on the loop.
};

class Server {
 public:
  // Opens the data directory, joins consensus and listens; returns when requests can be answered.
  // Errors say what to do; nothing is left running then.
  static Result<std::unique_ptr<Server>> start(net::Loop& loop, ServerOptions options);
  virtual ~Server() = default;

  // Stops launching, refuses new commands, waits for runs on this node up to config.drain_timeout,
  // then closes. `stopped` tells how many runs are left (they are watched again by the next start).
  virtual void stop(std::function<void(std::size_t runs_left)> stopped) = 0;
  // Writes the metrics of the moment, in Prometheus' text form, to the log's stream.
  virtual void dump_metrics() = 0;
  // Takes over the settings that may change while running (tags).
  virtual void reload(const config::Config& config) = 0;
};

std::string_view version();

}  // namespace dkron::agent
