#include "model/rows.h"

#include <algorithm>

namespace dkron::model {
namespace {

constexpr std::int64_t kLastSecond = 253402300799;  // 9999-12-31T23:59:59Z

void set_map(store::StringMap* message, const StringMap& map) {
  auto& entries = *message->mutable_entries();
  for (const auto& [key, value] : map) entries[key] = value;
}

StringMap get_map(const store::StringMap& message) {
  return StringMap(message.entries().begin(), message.entries().end());
}

}  // namespace

void set_time(store::Time* message, Instant t) {
  message->set_seconds(t.unix_seconds());
  message->set_nanos(t.nanos());
}

Instant get_time(const store::Time& message) {
  // An absent field reads as the one default instance.
  if (&message == &store::Time::default_instance()) return Instant();
  // Rows and commands come from disks and other servers: what no Instant can be is brought into
  // range, so that arithmetic on it stays defined.
  return Instant::from_unix(std::clamp(message.seconds(), Instant::kZeroSeconds, kLastSecond),
                            std::clamp(message.nanos(), 0, 999'999'999));
}

store::JobDefinition to_definition(const Job& job) {
  store::JobDefinition d;
  d.set_uid(job.uid);
  d.set_revision(job.revision);
  d.set_schedule_revision(job.schedule_revision);
  d.set_name(job.name);
  d.set_displayname(job.displayname);
  d.set_timezone(job.timezone);
  d.set_schedule(job.schedule);
  d.set_owner(job.owner);
  d.set_owner_email(job.owner_email);
  d.set_disabled(job.disabled);
  if (job.tags) set_map(d.mutable_tags(), *job.tags);
  if (job.metadata) set_map(d.mutable_metadata(), *job.metadata);
  d.set_retries(job.retries);
  d.set_parent_job(job.parent_job);
  for (const auto& [name, config] : job.processors)
    set_map(&(*d.mutable_processors())[name], config);
  d.set_concurrency(job.concurrency);
  d.set_executor(job.executor);
  if (job.executor_config) set_map(d.mutable_executor_config(), *job.executor_config);
  d.set_ephemeral(job.ephemeral);
  if (!job.expires_at.is_zero()) set_time(d.mutable_expires_at(), job.expires_at);
  if (!job.starts_at.is_zero()) set_time(d.mutable_starts_at(), job.starts_at);
  d.set_dst_policy(job.dst_policy);
  if (job.missed_runs) {
    auto* missed = d.mutable_missed_runs();
    missed->set_policy(static_cast<store::MissedRuns::Policy>(job.missed_runs->policy));
    missed->set_window_ns(job.missed_runs->window.count());
  }
  d.set_keep_executions(job.keep_executions);
  return d;
}

void read_definition(const store::JobDefinition& d, Job* job) {
  job->uid = d.uid();
  job->revision = d.revision();
  job->schedule_revision = d.schedule_revision();
  job->name = d.name();
  job->displayname = d.displayname();
  job->timezone = d.timezone();
  job->schedule = d.schedule();
  job->owner = d.owner();
  job->owner_email = d.owner_email();
  job->disabled = d.disabled();
  if (d.has_tags()) job->tags = get_map(d.tags());
  if (d.has_metadata()) job->metadata = get_map(d.metadata());
  job->retries = d.retries();
  job->parent_job = d.parent_job();
  for (const auto& [name, config] : d.processors()) job->processors[name] = get_map(config);
  job->concurrency = d.concurrency();
  job->executor = d.executor();
  if (d.has_executor_config()) job->executor_config = get_map(d.executor_config());
  job->ephemeral = d.ephemeral();
  job->expires_at = get_time(d.expires_at());
  job->starts_at = get_time(d.starts_at());
  job->dst_policy = d.dst_policy();
  if (d.has_missed_runs()) {
    const auto policy = d.missed_runs().policy();  // One of a later version reads as the default.
    job->missed_runs =
        MissedRuns{store::MissedRuns::Policy_IsValid(policy) ? static_cast<MissedPolicy>(policy)
                                                             : MissedPolicy::Latest,
                   Duration(d.missed_runs().window_ns())};
  }
  job->keep_executions = d.keep_executions();
}

void read_state(const store::JobState& s, Job* job) {
  job->version = s.version();
  job->success_count = s.success_count();
  job->error_count = s.error_count();
  job->last_success = get_time(s.last_success());
  job->last_error = get_time(s.last_error());
  job->dependent_jobs.assign(s.dependent_jobs().begin(), s.dependent_jobs().end());
  job->status = s.status();
  job->next = get_time(s.next());
  job->last_instant = get_time(s.last_instant());
  job->open_groups = s.open_groups();
}

Job to_job(const store::JobDefinition& definition, const store::JobState& state) {
  Job job;
  read_definition(definition, &job);
  read_state(state, &job);
  return job;
}

store::Execution to_row(const Execution& e) {
  store::Execution row;
  row.set_job_name(e.job_name);
  row.set_group(e.group);
  row.set_node(e.node_name);
  row.set_attempt(e.attempt);
  if (!e.started_at.is_zero()) set_time(row.mutable_started_at(), e.started_at);
  if (!e.finished_at.is_zero()) set_time(row.mutable_finished_at(), e.finished_at);
  row.set_success(e.success);
  row.set_lost(e.lost);
  if (!e.scheduled_at.is_zero()) set_time(row.mutable_scheduled_at(), e.scheduled_at);
  row.set_output_bytes(e.output_bytes);
  row.set_output_truncated(e.output_truncated);
  return row;
}

Execution to_execution(const store::Execution& row, std::string output) {
  Execution e;
  e.job_name = row.job_name();
  e.group = row.group();
  e.node_name = row.node();
  e.attempt = row.attempt();
  e.started_at = get_time(row.started_at());
  e.finished_at = get_time(row.finished_at());
  e.success = row.success();
  e.lost = row.lost();
  e.scheduled_at = get_time(row.scheduled_at());
  e.output_bytes = row.output_bytes();
  e.output_truncated = row.output_truncated();
  e.output = std::move(output);
  return e;
}

}  // namespace dkron::model
