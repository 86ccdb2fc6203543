// Control: what one may ask of the cluster; the door that the HTTP API and gRPC share.
//
// Implemented by agent/, which proposes locally or forwards to the leader. All calls are made on
// the main loop's thread and answer there, exactly once, when the change is committed and applied.
// Errors: Unavailable "no leader" and the like, OutcomeUnknown after 10 s of asking again, and the
// business errors of the commands (NotFound, Conflict, InvalidArgument).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "model/execution.h"
#include "model/job.h"

namespace dkron::state {

using OnDone = std::function<void(Result<void>)>;
using OnJob = std::function<void(Result<model::Job>)>;

struct SetJobOptions {
  bool is_restore = false;              // Take over counters and times, never lowering them.
  std::uint64_t expected_revision = 0;  // 0: any.
};

struct RunOptions {
  bool respect_concurrency = false;
  bool wait = false;  // Answer when the run and its retries are over.
};

struct StartedRun {
  std::int64_t group = 0;
  model::Job job;  // As it was before the run: an ephemeral one may be gone behind it.
};

enum class ToggleWish { Flip, Enable, Disable };

class Control {
 public:
  virtual ~Control() = default;

  // `job` is validated here. Answers with the job as it is stored now.
  virtual void set_job(model::Job job, SetJobOptions options, OnJob done) = 0;
  virtual void delete_job(std::string name, OnDone done) = 0;
  virtual void toggle_job(std::string name, ToggleWish wish, OnJob done) = 0;
  virtual void delete_executions(std::string name, OnDone done) = 0;
  virtual void set_paused(bool paused, OnDone done) = 0;
  using OnRun = std::function<void(Result<StartedRun>)>;
  virtual void run_job(std::string name, RunOptions options, OnRun done) = 0;

  virtual bool is_leader() const = 0;
  virtual std::string leader_name() const = 0;  // "" when none is known.
};

}  // namespace dkron::state
