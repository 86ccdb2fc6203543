// What the leader's side of running jobs needs from the rest of the program.
//
// The runner declares these; agent/ implements them. All on the main loop's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/task_loop.h"
#include "model/job.h"
#include "raft/node.h"
#include "state/changes.h"
#include "state/job_index.h"
#include "store/store.h"
#include "telemetry/metrics.h"

namespace dkron::runner {

// The nodes of the cluster, as the leader sees them.
class Nodes {
 public:
  virtual ~Nodes() = default;
  // The nodes that a job with these tags runs on now (spec engine 5.3); empty when none matches.
  virtual std::vector<std::string> select(const std::optional<model::StringMap>& tags) = 0;
  // Hands a committed attempt to its node. Idempotent: the node knows what it was given before.
  virtual void dispatch(const state::AttemptOpened& attempt) = 0;
  // Attempts that were handed over and have no process yet.
  virtual std::size_t waiting() const = 0;
};

// What the leader counts of its own work; the other counters belong to agent/.
struct Counters {
  telemetry::Counter launched;  // On time.
  telemetry::Counter late;
  telemetry::Counter retries;
};

struct Services {
  TaskLoop& loop;
  const Clock& clock;
  Workers& workers;
  store::Store& store;
  const state::JobIndex& index;
  Nodes& nodes;
  // raft::Node::propose.
  std::function<void(std::vector<raft::Command>, raft::ProposeCallback, bool may_linger)> propose;
  TimeZone server_zone;
  Random& random;
  Counters counters;
};

// Unique and growing on this leader: the wall clock in nanoseconds, or one more than the last.
class GroupIds {
 public:
  explicit GroupIds(const Clock& clock) : clock_(clock) {}
  std::int64_t next() { return last_ = std::max(clock_.wall().unix_nanos(), last_ + 1); }

 private:
  const Clock& clock_;
  std::int64_t last_ = 0;
};

}  // namespace dkron::runner
