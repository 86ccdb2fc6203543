// What the HTTP API needs from the rest of the program; filled in by agent/.
//
// Functions are called on the main loop's thread; the store and the index may be read from any
// thread.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "model/execution.h"
#include "net/http.h"
#include "net/loop.h"
#include "net/worker_pool.h"
#include "state/control.h"
#include "state/job_index.h"
#include "store/store.h"

namespace dkron::api {

// Spec rest-api 3.3.
struct Member {
  std::string name;
  std::string address;
  std::uint16_t port = 0;
  std::map<std::string, std::string> tags;
  int status = 1;  // 0 none, 1 alive, 2 leaving, 3 left, 4 failed
};

struct Health {
  bool is_ready = false;
  bool is_stopping = false;  // Draining: takes no new commands.
  bool is_leader = false;
  std::string leader;
  std::string raft_state;
  std::vector<std::string> issues;  // Of plugins; /health answers 503 when there is one.
};

struct Services {
  net::Loop& loop;
  net::WorkerPool& workers;
  const Clock& clock;
  state::Control& control;
  const state::JobIndex& index;
  const store::Store& store;
  std::string node_name{};
  std::string version{};
  bool ui_enabled = true;
  std::function<std::vector<Member>()> members{};
  std::function<Health()> health{};
  // What people should know of a job that was accepted; null: nothing.
  std::function<std::vector<std::string>(const model::Job&)> warnings{};
  std::function<std::vector<model::Execution>()> running{};  // On this node, output left out.
  std::function<void()> refresh_metrics{};
  std::function<std::string()> metrics{};    // Prometheus text; null: switched off. Any thread.
  std::function<std::string()> variables{};  // JSON of /debug/vars.
  std::function<bool()> is_paused{};
};

}  // namespace dkron::api
