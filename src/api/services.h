// What the HTTP API needs from the rest of the program; filled in by agent/.
//
// Functions are called on the main loop's thread; the store and the index may be read from any
// thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "gossip/key_queries.h"
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
  // Protocol minimum, maximum, current of memberlist, then of Serf.
  std::array<int, 6> versions{1, 5, 2, 2, 5, 4};
  std::string refused{};  // Why it is no member, although it tries to be; empty: it is one.
};

// Of the gossip layer, as GET /v1 shows it.
struct GossipStatus {
  std::size_t members = 1;  // Failed and left ones too.
  std::size_t failed = 0;
  std::size_t left = 0;
  int health_score = 0;
  bool is_encrypted = false;
  std::uint64_t member_time = 1;
  std::uint64_t event_time = 1;
  std::uint64_t query_time = 1;
  std::size_t intent_queue = 0;
  std::size_t event_queue = 0;
  std::size_t query_queue = 0;
};

struct Health {
  bool is_ready = false;
  bool is_stopping = false;  // Draining: takes no new commands.
  bool is_leader = false;
  std::string leader;
  std::string raft_state;
  std::string why_not_ready;        // A sentence for people; empty: nothing to say.
  std::vector<std::string> issues;  // Of plugins; /health answers 503 when there is one.
};

// Runs under way in the cluster, outputs left out.
struct Busy {
  std::vector<model::Execution> executions;
  std::string partial_because;  // Not empty: runs of other nodes may be missing, and why.
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
  std::function<GossipStatus()> gossip_status{};
  // Asks all members; `key` is empty for List.
  std::function<void(gossip::KeyAction, const std::string& key,
                     std::function<void(Result<gossip::KeyReport>)>)>
      manage_keys{};
  std::function<Health()> health{};
  // What people should know of a job that was accepted; null: nothing.
  std::function<std::vector<std::string>(const model::Job&)> warnings{};
  std::function<void(std::function<void(Busy)>)> busy{};
  // Answers once this server holds everything that was acknowledged up to now (?consistent=true).
  std::function<void(std::function<void(Result<void>)>)> catch_up{};
  // Answers, and takes the node out of the cluster behind the answer.
  std::function<void(std::function<void(Result<void>)>)> leave{};
  std::function<void()> refresh_metrics{};
  std::function<std::string()> metrics{};    // Prometheus text; null: switched off. Any thread.
  std::function<std::string()> variables{};  // JSON of /debug/vars.
  std::function<bool()> is_paused{};
};

}  // namespace dkron::api
