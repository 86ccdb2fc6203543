// Daemon: one dkron process: a server (state, schedule, API) or an agent (runs only), built, wired
// and taken down in the right order.
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

struct DaemonOptions {
  config::Config config;
  std::vector<std::string> command_line;  // Shown in /debug/vars, secrets masked.
  std::function<void(Error)> on_fatal;    // The node can no longer work; called on the loop.
  // The node was asked over the network to leave for good: stop(Stop::Leave) is due.
  std::function<void()> on_leave;
};

class Daemon {
 public:
  // Opens the data directory, joins the others and listens; returns when requests can be answered.
  // Errors say what to do; nothing is left running then.
  static Result<std::unique_ptr<Daemon>> start(net::Loop& loop, DaemonOptions options);
  virtual ~Daemon() = default;

  // Pause: it comes back, so a server keeps its vote. Leave: for good; a server gives its vote up.
  enum class Stop { Pause, Leave };
  // Hands leadership over, stops launching, refuses new commands, waits for runs on this node up to
  // config.drain_timeout, then closes. `stopped` tells how many runs are left (they are watched
  // again by the next start).
  virtual void stop(Stop how, std::function<void(std::size_t runs_left)> stopped) = 0;
  // Writes the metrics of the moment, in Prometheus' text form, to the log's stream.
  virtual void dump_metrics() = 0;
  // Takes over the settings that may change while running (tags, certificates).
  virtual void reload(const config::Config& config) = 0;
};

std::string_view version();

}  // namespace dkron::agent
