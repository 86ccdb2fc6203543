#include "agent/instruments.h"

namespace dkron::agent {
namespace {

const std::vector<double> kLagBounds = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                        0.5,   1,    2.5,   5,    10,  60};
const std::vector<double> kDurationBounds = {0.01, 0.1, 1, 10, 60, 600, 3600, 86400};

double to_seconds(Duration d) {
  return std::chrono::duration<double>(d).count();
}

constexpr char kSkipped[] = "dkron_instants_without_run_total";
constexpr char kSkippedHelp[] = "Due instants that were recorded without a run.";

}  // namespace

Instruments::Instruments(telemetry::Metrics& metrics, const std::string& version)
    : metrics_(metrics),
      runner_{metrics.counter("dkron_launches_total", "Runs launched for a due instant.",
                              {{"late", "false"}}),
              metrics.counter("dkron_launches_total", "Runs launched for a due instant.",
                              {{"late", "true"}}),
              metrics.counter("dkron_retries_total", "Further attempts of failed runs.")},
      scheduler_starts_(metrics.counter("dkron_scheduler_start", "dkron_scheduler_start")),
      lost_(metrics.counter("dkron_executions_lost_total", "Executions whose end nobody saw.")),
      journal_stalls_(metrics.counter("dkron_run_journal_stalls_total",
                                      "Times the run journal could not be written.")),
      journal_stalled_(
          metrics.gauge("dkron_run_journal_stalled", "1 while the run journal cannot be written.")),
      succeeded_(metrics.counters("dkron_job_executions_succeeded_total",
                                  "Total number of successful job executions", "job_name")),
      failed_(metrics.counters("dkron_job_executions_failed_total",
                               "Total number of failed job executions", "job_name")),
      lag_(metrics.histogram("dkron_schedule_lag_seconds",
                             "Start of a run behind its scheduled instant.", kLagBounds)),
      duration_(metrics.histogram("dkron_execution_duration_seconds", "Length of executions.",
                                  kDurationBounds)),
      is_leader_(metrics.gauge("dkron_is_leader", "1 while this server leads.")),
      last_index_(metrics.gauge("dkron_raft_last_index", "Index of the last entry of the log.")),
      commit_index_(metrics.gauge("dkron_raft_commit_index", "Index of the last committed entry.")),
      applied_index_(metrics.gauge("dkron_raft_applied_index", "Index of the last applied entry.")),
      term_(metrics.gauge("dkron_raft_term", "Current term.")),
      log_bytes_(
          metrics.gauge("dkron_raft_log_bytes", "Bytes of the log since the last snapshot.")),
      jobs_(metrics.gauge("dkron_jobs", "Jobs.")),
      running_(metrics.gauge("dkron_executions_running", "Executions under way on this node.")),
      waiting_(metrics.gauge("dkron_runs_waiting", "Launched runs that wait for their process.")),
      held_back_(
          metrics.gauge("dkron_jobs_held_back", "Due jobs held back because too many runs wait.")) {
  metrics.gauge("dkron_build_info", "1; the labels tell the version.", {{"version", version}})
      .set(1);
  for (int reason = store::LedgerRow::CONCURRENCY; reason <= store::LedgerRow::EDITED; ++reason) {
    const auto name = state::reason_name(static_cast<store::LedgerRow::Reason>(reason));
    metrics.counter(kSkipped, kSkippedHelp, {{"reason", std::string(name)}});
  }
}

void Instruments::on_change(const state::AttemptFinished& change) {
  const model::Execution& e = change.execution;
  // A counter cannot go back: as failed it counts already, and its start was seen.
  if (change.replaces_lost) {
    if (e.success) succeeded_->with(e.job_name).add();
    return;
  }
  (e.success ? succeeded_ : failed_)->with(e.job_name).add();
  if (e.lost) lost_.add();
  if (e.started_at.is_zero()) return;
  duration_.observe(to_seconds(e.finished_at - e.started_at));
  const bool first_of_schedule = !e.scheduled_at.is_zero() && e.attempt == 1;
  if (first_of_schedule) lag_.observe(to_seconds(e.started_at - e.scheduled_at));
}

void Instruments::on_change(const state::InstantsSkipped& change) {
  metrics_
      .counter(kSkipped, kSkippedHelp, {{"reason", std::string(state::reason_name(change.reason))}})
      .add(change.count);
}

void Instruments::on_change(const state::JobDeleted& change) {
  succeeded_->remove(change.name);
  failed_->remove(change.name);
}

void Instruments::on_journal_stall(bool stalled) {
  if (stalled) journal_stalls_.add();
  journal_stalled_.set(stalled ? 1 : 0);
}

void Instruments::show(const Moment& moment) const {
  const auto set = [](const telemetry::Gauge& gauge, auto value) {
    gauge.set(static_cast<double>(value));
  };
  set(is_leader_, moment.is_leader ? 1 : 0);
  set(last_index_, moment.raft.last_log_index);
  set(commit_index_, moment.raft.commit_index);
  set(applied_index_, moment.raft.applied_index);
  set(term_, moment.raft.term);
  set(log_bytes_, moment.raft.log_bytes);
  set(jobs_, moment.jobs);
  set(running_, moment.running);
  set(waiting_, moment.waiting);
  set(held_back_, moment.held_back);
}

}  // namespace dkron::agent
