#include "model/wire.h"

#include <algorithm>

#include "types/v1/dkron.pb.h"

namespace dkron::model {
namespace {

using google::protobuf::Timestamp;
using Wire = types::v1::Job;
using WireMap = google::protobuf::Map<std::string, std::string>;

constexpr std::int64_t kLastSecond = 253402300799;  // 9999-12-31T23:59:59Z

// An Instant has no other values, so arithmetic on what others sent stays defined.
Instant get_time(const Timestamp& message) {
  return Instant::from_unix(std::clamp(message.seconds(), Instant::kZeroSeconds, kLastSecond),
                            std::clamp(message.nanos(), 0, 999'999'999));
}

void set_nullable(Wire::NullableTime* message, Instant t) {
  if (t.is_zero()) return;
  message->set_has_value(true);
  set_wire_time(message->mutable_time(), t);
}

Instant get_nullable(const Wire::NullableTime& message) {
  return message.has_value() && message.has_time() ? get_time(message.time()) : Instant();
}

void set_map(WireMap* message, const StringMap& map) {
  for (const auto& [key, value] : map) (*message)[key] = value;
}

StringMap get_map(const WireMap& message) {
  return StringMap(message.begin(), message.end());
}

void set_map(Wire* job, WireMap* message, const char* name, const std::optional<StringMap>& map) {
  if (!map) return;
  set_map(message, *map);
  if (map->empty()) job->add_empty_maps(name);
}

std::optional<StringMap> get_map(const Wire& job, const WireMap& message, std::string_view name) {
  const auto& empty = job.empty_maps();
  if (message.empty() && std::find(empty.begin(), empty.end(), name) == empty.end()) return {};
  return get_map(message);
}

// The fields that the original does not know.
void add_ours(const Job& job, Wire* message) {
  message->set_dst_policy(job.dst_policy);
  if (job.missed_runs) {
    auto* missed = message->mutable_missed_runs();
    missed->set_policy(static_cast<types::v1::MissedRuns::Policy>(job.missed_runs->policy));
    missed->set_window_ns(job.missed_runs->window.count());
  }
  message->set_keep_executions(job.keep_executions);
  message->set_uid(job.uid);
  message->set_revision(job.revision);
  message->set_schedule_revision(job.schedule_revision);
  message->set_version(job.version);
  if (!job.last_instant.is_zero()) set_wire_time(message->mutable_last_instant(), job.last_instant);
  message->set_open_groups(job.open_groups);
}

void read_ours(const Wire& message, Job* job) {
  job->dst_policy = message.dst_policy();
  if (message.has_missed_runs()) {
    const auto policy = message.missed_runs().policy();  // A later version's is the default.
    job->missed_runs =
        MissedRuns{types::v1::MissedRuns::Policy_IsValid(policy) ? static_cast<MissedPolicy>(policy)
                                                                 : MissedPolicy::Latest,
                   Duration(message.missed_runs().window_ns())};
  }
  job->keep_executions = message.keep_executions();
  job->uid = message.uid();
  job->revision = message.revision();
  job->schedule_revision = message.schedule_revision();
  job->version = message.version();
  if (message.has_last_instant()) job->last_instant = get_time(message.last_instant());
  job->open_groups = message.open_groups();
}

}  // namespace

void set_wire_time(Timestamp* message, Instant t) {
  message->set_seconds(t.unix_seconds());
  message->set_nanos(t.nanos());
}

Instant get_wire_time(const Timestamp& message) {
  // An absent field reads as the one default instance.
  if (&message == &Timestamp::default_instance()) return Instant();
  return get_time(message);
}

void to_wire(const Job& job, Wire* message) {
  message->set_name(job.name);
  message->set_timezone(job.timezone);
  message->set_schedule(job.schedule);
  message->set_owner(job.owner);
  message->set_owner_email(job.owner_email);
  message->set_success_count(job.success_count);
  message->set_error_count(job.error_count);
  message->set_disabled(job.disabled);
  set_map(message, message->mutable_tags(), "tags", job.tags);
  message->set_retries(job.retries);
  for (const std::string& child : job.dependent_jobs) message->add_dependent_jobs(child);
  message->set_parent_job(job.parent_job);
  message->set_concurrency(job.concurrency);
  message->set_executor(job.executor);
  set_map(message, message->mutable_executor_config(), "executor_config", job.executor_config);
  message->set_status(job.status);
  set_map(message, message->mutable_metadata(), "metadata", job.metadata);
  set_wire_time(message->mutable_next(), job.next);
  message->set_displayname(job.displayname);
  set_nullable(message->mutable_last_success(), job.last_success);
  set_nullable(message->mutable_last_error(), job.last_error);
  for (const auto& [name, config] : job.processors)
    set_map((*message->mutable_processors())[name].mutable_config(), config);
  message->set_ephemeral(job.ephemeral);
  set_nullable(message->mutable_expires_at(), job.expires_at);
  set_nullable(message->mutable_starts_at(), job.starts_at);
  add_ours(job, message);
}

Job from_wire(const Wire& message) {
  Job job;
  job.name = message.name();
  job.timezone = message.timezone();
  job.schedule = message.schedule();
  job.owner = message.owner();
  job.owner_email = message.owner_email();
  job.success_count = message.success_count();
  job.error_count = message.error_count();
  job.disabled = message.disabled();
  job.tags = get_map(message, message.tags(), "tags");
  job.retries = message.retries();
  job.dependent_jobs.assign(message.dependent_jobs().begin(), message.dependent_jobs().end());
  job.parent_job = message.parent_job();
  job.concurrency = message.concurrency();
  job.executor = message.executor();
  job.executor_config = get_map(message, message.executor_config(), "executor_config");
  job.status = message.status();
  job.metadata = get_map(message, message.metadata(), "metadata");
  job.next = get_wire_time(message.next());
  job.displayname = message.displayname();
  job.last_success = get_nullable(message.last_success());
  job.last_error = get_nullable(message.last_error());
  for (const auto& [name, config] : message.processors())
    job.processors[name] = get_map(config.config());
  job.ephemeral = message.ephemeral();
  job.expires_at = get_nullable(message.expires_at());
  job.starts_at = get_nullable(message.starts_at());
  read_ours(message, &job);
  return job;
}

void to_wire(const Execution& e, types::v1::Execution* message) {
  message->set_job_name(e.job_name);
  message->set_success(e.success);
  message->set_output(e.output);
  message->set_node_name(e.node_name);
  message->set_group(e.group);
  message->set_attempt(e.attempt);
  set_wire_time(message->mutable_started_at(), e.started_at);
  set_wire_time(message->mutable_finished_at(), e.finished_at);
  message->set_lost(e.lost);
  if (!e.scheduled_at.is_zero()) set_wire_time(message->mutable_scheduled_at(), e.scheduled_at);
  message->set_output_bytes(e.output_bytes);
  message->set_output_truncated(e.output_truncated);
}

Execution from_wire(const types::v1::Execution& message) {
  Execution e;
  e.job_name = message.job_name();
  e.success = message.success();
  e.output = message.output();
  e.node_name = message.node_name();
  e.group = message.group();
  e.attempt = message.attempt();
  e.started_at = get_wire_time(message.started_at());
  e.finished_at = get_wire_time(message.finished_at());
  e.lost = message.lost();
  e.scheduled_at = get_wire_time(message.scheduled_at());
  e.output_bytes = message.output_bytes();
  e.output_truncated = message.output_truncated();
  return e;
}

}  // namespace dkron::model
