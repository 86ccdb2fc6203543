#include "model/job.h"

#include <algorithm>
#include <charconv>

#include "model/unicode.h"

namespace dkron::model {
namespace {

tl::unexpected<Error> invalid(std::string message) {
  return fail(ErrorCode::InvalidArgument, std::move(message));
}

Result<void> validate_name(const std::string& name) {
  if (name.empty()) return invalid("name cannot be empty");
  std::string_view rest = name;
  while (!rest.empty()) {
    const std::string_view character = next_character(&rest);
    const bool ascii_ok = character.size() == 1 && ((character[0] >= '0' && character[0] <= '9') ||
                                                    character[0] == '_' || character[0] == '-');
    if (!ascii_ok && !is_lower_case_letter(character)) {
      return invalid("name contains illegal character '" + std::string(character) + "'");
    }
  }
  if (name.size() > kNameLimitBytes) {
    return invalid("name is too long (" + std::to_string(name.size()) + " bytes, limit " +
                   std::to_string(kNameLimitBytes) + ")");
  }
  return {};
}

Result<void> validate_tags(const Job& job) {
  if (!job.tags) return {};
  for (const auto& [key, value] : *job.tags) {
    if (auto filter = parse_tag_filter(value); !filter) {
      return invalid("tag " + key + ": " + filter.error().message);
    }
  }
  return {};
}

}  // namespace

std::string_view to_string(MissedPolicy policy) {
  switch (policy) {
    case MissedPolicy::Latest: return "latest";
    case MissedPolicy::Skip: return "skip";
    case MissedPolicy::All: return "all";
  }
  return "latest";
}

Result<TagFilter> parse_tag_filter(const std::string& value) {
  const auto colon = value.find(':');
  if (colon == std::string::npos) return TagFilter{value, std::nullopt};
  TagFilter filter{value.substr(0, colon), std::nullopt};
  const std::string_view rest = std::string_view(value).substr(colon + 1);
  if (rest.find(':') != rest.npos) return filter;  // Three parts: the count is not looked at.
  std::uint32_t count = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), count);
  if (error != std::errc() || end != rest.data() + rest.size()) {
    return invalid("improper cardinality specified: " + value);
  }
  filter.count = count;
  return filter;
}

Result<void> validate(const Job& job, const TimeZone& server_zone) {
  if (auto name = validate_name(job.name); !name) return name;
  if (job.parent_job == job.name) return invalid("the job can not have itself as parent");
  const auto policy = cron::parse_dst_policy(job.dst_policy);
  if (!job.schedule.empty() || job.parent_job.empty()) {
    auto schedule = cron::Schedule::parse(job.schedule, job.name, cron::Options{server_zone, {}});
    if (!schedule) return invalid("can't parse job schedule: " + schedule.error().message);
  }
  if (job.concurrency != "allow" && job.concurrency != "forbid" && !job.concurrency.empty()) {
    return invalid("invalid concurrency policy value, use \"allow\" or \"forbid\"");
  }
  if (auto zone = TimeZone::load(job.timezone); !zone) return invalid(zone.error().message);
  if (!policy) return fail(policy.error());
  if (!job.starts_at.is_zero() && !job.expires_at.is_zero() && job.expires_at < job.starts_at) {
    return invalid("expires_at is before starts_at");
  }
  if (job.missed_runs && job.missed_runs->window < Duration(0)) {
    return invalid("missed_runs: the window must not be negative");
  }
  if (job.keep_executions > kKeepExecutionsLimit) {
    return invalid("keep_executions must not exceed " + std::to_string(kKeepExecutionsLimit));
  }
  return validate_tags(job);
}

Result<cron::Schedule> parse_schedule(const Job& job, const TimeZone& server_zone) {
  cron::Options options{server_zone, cron::DstPolicy::Reference};
  if (!job.timezone.empty()) {
    auto zone = TimeZone::load(job.timezone);
    if (!zone) return fail(zone.error());
    options.zone = *zone;
  }
  auto policy = cron::parse_dst_policy(job.dst_policy);
  if (!policy) return fail(policy.error());
  options.dst_policy = *policy;
  return cron::Schedule::parse(job.schedule, job.name, options);
}

Instant next_activation(const Job& job, const cron::Schedule& schedule, Instant now) {
  if (job.disabled || !job.parent_job.empty()) return Instant();
  const Instant instant = schedule.instant();
  const Instant from = std::max(now, job.starts_at - nanoseconds(1));
  switch (schedule.kind()) {
    case cron::Schedule::Kind::Manually: return Instant();
    case cron::Schedule::Kind::At: return instant > now ? instant : Instant();
    case cron::Schedule::Kind::After:
      // Exactly once: an outcome at or behind T means used up (spec engine 4.4).
      if (job.last_instant >= instant || now - instant > schedule.grace()) return Instant();
      return instant;
    case cron::Schedule::Kind::Every: {
      // The phase hangs on the last activation, so that edits and restarts do not shift it.
      if (job.last_instant.is_zero() || job.last_instant > now) return schedule.next_after(from);
      const auto interval = schedule.interval().count();
      const auto steps = (from - job.last_instant).count() / interval + 1;
      return job.last_instant + Duration(interval * steps);
    }
    case cron::Schedule::Kind::Fields: break;
  }
  return schedule.next_after(from);
}

}  // namespace dkron::model
