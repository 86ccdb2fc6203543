#include "cron/schedule.h"

#include <algorithm>

#include "base/assert.h"
#include "base/go_text.h"
#include "cron/fields.h"
#include "cron/iso_duration.h"
#include "cron/next_fields.h"

namespace dkron::cron {

struct Schedule::Impl {
  Kind kind = Kind::Manually;
  FieldSet fields;
  TimeZone zone;
  DstPolicy dst_policy = DstPolicy::Reference;
  Duration interval{0};
  Instant instant;
  Duration grace{0};
};

namespace {

tl::unexpected<Error> invalid(std::string message) {
  return fail(ErrorCode::InvalidArgument, std::move(message));
}

// The fields that a calendar descriptor stands for; empty for anything else.
std::string_view fields_of_descriptor(std::string_view descriptor) {
  if (descriptor == "@yearly" || descriptor == "@annually") return "0 0 0 1 1 *";
  if (descriptor == "@monthly") return "0 0 0 1 * *";
  if (descriptor == "@weekly") return "0 0 0 * * 0";
  if (descriptor == "@daily" || descriptor == "@midnight") return "0 0 0 * * *";
  if (descriptor == "@hourly") return "0 0 * * * *";
  return "";
}

std::string joined(const std::vector<std::string_view>& texts) {
  std::string out;
  for (const auto text : texts) {
    if (!out.empty()) out += ' ';
    out += text;
  }
  return out;
}

Result<FieldSet> parse_calendar(std::string_view text) {
  const auto texts = go::fields(text);
  if (texts.size() != 6) {
    return invalid("expected exactly 6 fields, found " + std::to_string(texts.size()) + ": [" +
                   joined(texts) + "]");
  }
  return parse_fields(texts);
}

// The interval of @every: whole seconds, at least one.
Result<Duration> parse_every(std::string_view descriptor) {
  const auto parsed = parse_duration(descriptor.substr(std::string_view("@every ").size()));
  if (!parsed) {
    return invalid("failed to parse duration " + std::string(descriptor) + ": " +
                   parsed.error().message);
  }
  return std::max<Duration>(seconds(1), std::chrono::duration_cast<seconds>(*parsed));
}

struct After {
  Instant instant;
  Duration grace;
};

Result<After> parse_after(std::string_view expression) {
  const auto items = go::fields(expression.substr(std::string_view("@after ").size()));
  if (items.size() != 2) {
    return invalid("@after requires format: @after <RFC3339 datetime> <ISO8601 duration>, got: " +
                   std::string(expression));
  }
  const auto instant = parse_rfc3339(items[0]);
  if (!instant) {
    return invalid("failed to parse date in @after: " + std::string(items[0]) + ": " +
                   instant.error().message);
  }
  if (!items[1].starts_with('<')) {
    return invalid("grace period must start with '<', got: " + std::string(items[1]));
  }
  const std::string_view period = items[1].substr(1);
  const auto grace = parse_iso_duration(period);
  if (!grace) {
    return invalid("failed to parse grace period in @after: " + std::string(period) + ": " +
                   grace.error().message);
  }
  return After{*instant, *grace};
}

// Takes a leading TZ= or CRON_TZ= off `*text` and loads it into `*zone`.
Result<void> take_zone(std::string_view* text, TimeZone* zone) {
  if (!text->starts_with("TZ=") && !text->starts_with("CRON_TZ=")) return {};
  const std::size_t blank = text->find(' ');
  // Dkron differs: the reference crashes here.
  if (blank == text->npos) return invalid("expected schedule after time zone");
  const std::size_t start = text->find('=') + 1;
  const std::string name(text->substr(start, blank - start));
  const auto loaded = TimeZone::load(name);
  if (!loaded) return invalid("provided bad location " + name + ": " + loaded.error().message);
  *zone = *loaded;
  *text = go::trim_space(text->substr(blank));
  return {};
}

}  // namespace

Result<DstPolicy> parse_dst_policy(std::string_view text) {
  if (text.empty() || text == "reference") return DstPolicy::Reference;
  if (text == "run_once_after_gap") return DstPolicy::RunOnceAfterGap;
  if (text == "skip") return DstPolicy::Skip;
  return invalid("unknown dst_policy " + go::quote(text) +
                 ", expected reference, run_once_after_gap or skip");
}

std::string_view to_string(DstPolicy policy) {
  switch (policy) {
    case DstPolicy::Reference: return "reference";
    case DstPolicy::RunOnceAfterGap: return "run_once_after_gap";
    case DstPolicy::Skip: return "skip";
  }
  return "";
}

Result<Schedule> Schedule::parse(std::string_view expression, std::string_view job_name,
                                 const Options& options) {
  const std::string expanded = expand_hash(expression, job_name);
  std::string_view text = expanded;
  auto impl = std::make_shared<Impl>();
  impl->zone = options.zone;
  impl->dst_policy = options.dst_policy;
  Schedule schedule;
  schedule.impl_ = impl;

  // These four are tested on the whole text, so that no zone can stand before them.
  if (text == "@manually") return schedule;
  if (text == "@minutely") text = "0 * * * * *";
  if (text.starts_with("@at ")) {
    const auto instant = parse_rfc3339(text.substr(std::string_view("@at ").size()));
    if (!instant) {
      return invalid("failed to parse date " + expanded + ": " + instant.error().message);
    }
    impl->kind = Kind::At;
    impl->instant = *instant;
    return schedule;
  }
  if (text.starts_with("@after ")) {
    const auto after = parse_after(text);
    if (!after) return fail(after.error());
    impl->kind = Kind::After;
    impl->instant = after->instant;
    impl->grace = after->grace;
    return schedule;
  }

  if (text.empty()) return invalid("empty spec string");
  if (auto taken = take_zone(&text, &impl->zone); !taken) return fail(taken.error());
  if (text.starts_with("@every ")) {
    const auto interval = parse_every(text);
    if (!interval) return fail(interval.error());
    impl->kind = Kind::Every;
    impl->interval = *interval;
    return schedule;
  }
  if (text.starts_with('@')) {
    const std::string descriptor(text);
    text = fields_of_descriptor(text);
    if (text.empty()) return invalid("unrecognized descriptor: " + descriptor);
  }
  const auto fields = parse_calendar(text);
  if (!fields) return fail(fields.error());
  impl->kind = Kind::Fields;
  impl->fields = *fields;
  return schedule;
}

Schedule::Kind Schedule::kind() const {
  return impl_->kind;
}

Instant Schedule::next_after(Instant t) const {
  const Impl& s = *impl_;
  switch (s.kind) {
    case Kind::Fields: return next_activation(s.fields, s.zone, s.dst_policy, t);
    case Kind::Every: return t.floor_seconds() + s.interval;
    case Kind::At: return t < s.instant ? s.instant : Instant();
    case Kind::After:
      if (t < s.instant) return s.instant;
      return t <= s.instant + s.grace ? t + nanoseconds(1) : Instant();
    case Kind::Manually: return Instant();
  }
  DK_ASSERT(false);
  return Instant();
}

Duration Schedule::interval() const {
  return impl_->interval;
}
Instant Schedule::instant() const {
  return impl_->instant;
}
Duration Schedule::grace() const {
  return impl_->grace;
}

bool Schedule::never_fires() const {
  return impl_->kind == Kind::Fields && selects_no_date(impl_->fields);
}

}  // namespace dkron::cron
