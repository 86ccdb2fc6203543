// Instruments: the metrics of a server under the names of spec metrics 2, 3 and 12, in one place.
//
// Counted on the leader only and once per event, from the Changes of the log. Main loop's thread,
// except that text() of the Metrics may run anywhere.
#pragma once

#include <memory>
#include <string>

#include "raft/node.h"
#include "runner/services.h"
#include "state/changes.h"
#include "telemetry/metrics.h"

namespace dkron::agent {

class Instruments {
 public:
  Instruments(telemetry::Metrics& metrics, const std::string& version);

  runner::Counters runner_counters() const { return runner_; }

  // As the leader sees them.
  void on_change(const state::AttemptFinished& change);
  void on_change(const state::InstantsSkipped& change);
  void on_change(const state::JobDeleted& change);
  void scheduler_started() { scheduler_starts_.add(); }
  // Of this node: its run journal cannot be written, or can again.
  void on_journal_stall(bool stalled);

  // Gauges of the moment.
  struct Moment {
    raft::Status raft;
    bool is_leader = false;
    std::size_t jobs = 0;
    std::size_t running = 0;
    std::size_t waiting = 0;
    std::size_t held_back = 0;
  };
  void show(const Moment& moment) const;

 private:
  telemetry::Metrics& metrics_;
  runner::Counters runner_;
  telemetry::Counter scheduler_starts_;
  telemetry::Counter lost_;
  telemetry::Counter journal_stalls_;
  telemetry::Gauge journal_stalled_;
  std::unique_ptr<telemetry::CounterFamily> succeeded_;
  std::unique_ptr<telemetry::CounterFamily> failed_;
  telemetry::Histogram lag_;
  telemetry::Histogram duration_;
  telemetry::Gauge is_leader_;
  telemetry::Gauge last_index_;
  telemetry::Gauge commit_index_;
  telemetry::Gauge applied_index_;
  telemetry::Gauge term_;
  telemetry::Gauge log_bytes_;
  telemetry::Gauge jobs_;
  telemetry::Gauge running_;
  telemetry::Gauge waiting_;
  telemetry::Gauge held_back_;
};

}  // namespace dkron::agent
