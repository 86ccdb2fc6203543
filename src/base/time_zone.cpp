#include "base/time_zone.h"

#include <absl/time/civil_time.h>
#include <absl/time/time.h>

#include <cstring>
#include <type_traits>

namespace dkron {
namespace {

static_assert(sizeof(absl::TimeZone) == sizeof(void*));
static_assert(std::is_trivially_copyable_v<absl::TimeZone>);

absl::TimeZone unwrap(const void* impl) {
  absl::TimeZone zone;
  std::memcpy(static_cast<void*>(&zone), &impl, sizeof zone);
  return zone;
}

const void* wrap(const absl::TimeZone& zone) {
  const void* impl = nullptr;
  std::memcpy(&impl, &zone, sizeof impl);
  return impl;
}

absl::Time to_absl(Instant t) {
  return absl::FromUnixSeconds(t.unix_seconds()) + absl::Nanoseconds(t.nanos());
}

Instant from_absl(absl::Time t) {
  const std::int64_t s = absl::ToUnixSeconds(t);  // floors
  const auto n = absl::ToInt64Nanoseconds(t - absl::FromUnixSeconds(s));
  return Instant::from_unix(s, static_cast<std::int32_t>(n));
}

absl::CivilSecond to_absl(const Civil& c) {
  return absl::CivilSecond(c.year, c.month, c.day, c.hour, c.minute, c.second);
}

Civil from_absl(const absl::CivilSecond& c) {
  return Civil{c.year(), c.month(), c.day(), c.hour(), c.minute(), c.second()};
}

}  // namespace

Civil normalize(Civil civil) {
  return from_absl(to_absl(civil));
}

int weekday(const Civil& civil) {
  const auto day = absl::GetWeekday(absl::CivilDay(civil.year, civil.month, civil.day));
  return (static_cast<int>(day) + 1) % 7;  // absl counts from Monday.
}

int days_in_month(std::int64_t year, int month) {
  static constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : kDays[month - 1];
}

TimeZone::TimeZone() : name_("UTC"), impl_(wrap(absl::UTCTimeZone())) {}

TimeZone TimeZone::local() {
  TimeZone zone;
  zone.name_ = "Local";
  zone.impl_ = wrap(absl::LocalTimeZone());
  return zone;
}

Result<TimeZone> TimeZone::load(std::string_view name) {
  if (name.empty() || name == "UTC") return TimeZone::utc();
  if (name == "Local") return TimeZone::local();
  const bool odd = name.find("..") != name.npos || name.front() == '/' || name.front() == '\\';
  if (odd) return fail(ErrorCode::InvalidArgument, "time: invalid location name");
  const auto unknown = [&] {
    return fail(ErrorCode::InvalidArgument, "unknown time zone " + std::string(name));
  };
  // cctz also knows "file:" paths, "localtime" and "Fixed/UTC..." names, which are no IANA zones.
  if (name.size() > 64 || name.find(':') != name.npos || name == "localtime" || name == "UTC0" ||
      name.find('\0') != name.npos) {
    return unknown();
  }
  absl::TimeZone loaded;
  if (!absl::LoadTimeZone(absl::string_view(name.data(), name.size()), &loaded)) return unknown();
  TimeZone zone;
  zone.name_ = name;
  zone.impl_ = wrap(loaded);
  return zone;
}

TimeZone::Local TimeZone::to_civil(Instant t) const {
  const auto info = unwrap(impl_).At(to_absl(t));
  return Local{from_absl(info.cs), t.nanos(), info.offset, info.is_dst};
}

TimeZone::Lookup TimeZone::from_civil(const Civil& civil) const {
  const auto info = unwrap(impl_).At(to_absl(civil));
  Lookup lookup;
  switch (info.kind) {
    case absl::TimeZone::TimeInfo::UNIQUE: lookup.kind = Kind::Unique; break;
    case absl::TimeZone::TimeInfo::SKIPPED: lookup.kind = Kind::Skipped; break;
    case absl::TimeZone::TimeInfo::REPEATED: lookup.kind = Kind::Repeated; break;
  }
  lookup.before = from_absl(info.pre);
  lookup.transition = from_absl(info.trans);
  lookup.after = from_absl(info.post);
  return lookup;
}

bool TimeZone::next_transition(Instant t, Instant* at) const {
  const absl::TimeZone zone = unwrap(impl_);
  absl::TimeZone::CivilTransition change;
  std::int64_t shift = 0;
  // Not `t - seconds(shift)`: a Duration holds 292 years only.
  const auto shifted = [&] { return to_absl(Instant::from_unix(t.unix_seconds() - shift)); };
  bool found = zone.NextTransition(to_absl(t), &change);
  // Behind the end of its table absl knows no changes but still reads civil times right: the rules
  // in force after 2037 repeat with the calendar, every 400 years. A table with few explicit years
  // ends earlier, hence the second try one cycle before.
  constexpr std::int64_t kCycle = std::int64_t{146097} * 86400;
  constexpr std::int64_t k2037 = 2114380800;
  if (!found && t.unix_seconds() >= k2037) {
    shift = (t.unix_seconds() - k2037) / kCycle * kCycle;
    for (int i = 0; i < 2 && !found; ++i) {
      found = zone.NextTransition(shifted(), &change);
      if (!found) shift += kCycle;
    }
  }
  if (!found) return false;
  // `from` is what the old offset would have shown at the instant of the change.
  const auto civil = absl::ToUnixSeconds(absl::FromCivil(change.from, absl::UTCTimeZone()));
  const auto offset = zone.At(shifted()).offset;
  *at = Instant::from_unix(civil - offset + shift);
  // Only a borrowed change can be none: the rule of an earlier year that was given up since.
  const auto offset_now = to_civil(*at).utc_offset_seconds;
  return shift == 0 || offset_now != to_civil(*at - seconds(1)).utc_offset_seconds;
}

}  // namespace dkron
