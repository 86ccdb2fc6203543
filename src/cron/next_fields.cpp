#include "cron/next_fields.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <optional>

namespace dkron::cron {
namespace {

constexpr std::int64_t kDay = 86400;
// Years the calendar arithmetic of <chrono> can hold, with room for the horizon.
constexpr std::int64_t kLeastSeconds = -20000 * 366 * kDay;
constexpr std::int64_t kMostSeconds = 20000 * 366 * kDay;

// Local seconds: what a clock in the zone shows, counted as if it were UTC since 1970.
using LocalSeconds = std::int64_t;

std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  return a / b - (a % b < 0 ? 1 : 0);
}

// The lowest set bit at or above `from`.
std::optional<int> next_bit(std::uint64_t bits, int from) {
  if (from > 63) return std::nullopt;
  const std::uint64_t rest = bits >> from;
  if (rest == 0) return std::nullopt;
  return from + std::countr_zero(rest);
}

int lowest(std::uint64_t bits) {
  return std::countr_zero(bits);
}

// The first matching second of a day at or after `second_of_day`.
std::optional<std::int64_t> next_time(const FieldSet& f, std::int64_t second_of_day) {
  const int h = static_cast<int>(second_of_day / 3600);
  const int m = static_cast<int>(second_of_day / 60 % 60);
  const int s = static_cast<int>(second_of_day % 60);
  const auto time = [](int hour, int minute, int second) {
    return std::int64_t{hour} * 3600 + minute * 60 + second;
  };
  const auto hour = next_bit(f.hours, h);
  if (hour == h) {
    const auto minute = next_bit(f.minutes, m);
    if (minute == m) {
      if (const auto second = next_bit(f.seconds, s)) return time(h, m, *second);
    }
    const auto later = minute == m ? next_bit(f.minutes, m + 1) : minute;
    if (later) return time(h, *later, lowest(f.seconds));
  }
  const auto later = hour == h ? next_bit(f.hours, h + 1) : hour;
  if (!later) return std::nullopt;
  return time(*later, lowest(f.minutes), lowest(f.seconds));
}

// The matching days of one month; bit d is day d.
std::uint64_t days_of_month(const FieldSet& f, std::chrono::year_month month) {
  using namespace std::chrono;
  const unsigned length = static_cast<unsigned>((month / last).day());
  const unsigned first = std::chrono::weekday(sys_days(month / 1)).c_encoding();
  std::uint64_t weeks = 0;
  for (int shift = 0; shift < 42; shift += 7) weeks |= f.weekdays << shift;
  const std::uint64_t by_weekday = (weeks >> first) << 1;
  const std::uint64_t all = ((std::uint64_t{1} << length) - 1) << 1;
  const bool either = !f.is_star_day && !f.is_star_weekday;
  return (either ? f.days | by_weekday : f.days & by_weekday) & all;
}

// The first matching day at or after `day`, both counted from 1970; none beyond `last_day`.
std::optional<std::int64_t> next_day(const FieldSet& f, std::int64_t day, std::int64_t last_day) {
  using namespace std::chrono;
  const year_month_day start{sys_days(days(day))};
  year_month month = start.year() / start.month();
  int from = static_cast<int>(static_cast<unsigned>(start.day()));
  for (;;) {
    const std::int64_t first = sys_days(month / 1).time_since_epoch().count();
    if (first + from - 1 > last_day) return std::nullopt;
    if ((f.months >> static_cast<unsigned>(month.month()) & 1U) != 0) {
      if (const auto found = next_bit(days_of_month(f, month), from)) {
        const std::int64_t hit = first + *found - 1;
        return hit > last_day ? std::nullopt : std::optional(hit);
      }
    }
    month += months(1);
    from = 1;
  }
}

// The first match in [from, end).
std::optional<LocalSeconds> find_match(const FieldSet& f, LocalSeconds from, LocalSeconds end) {
  if (from >= end) return std::nullopt;
  const std::int64_t today = floor_div(from, kDay);
  const std::int64_t last_day = floor_div(end - 1, kDay);
  auto day = next_day(f, today, last_day);
  if (!day) return std::nullopt;
  auto time = next_time(f, *day == today ? from - today * kDay : 0);
  if (!time) {
    // Nothing is left of today; any other matching day has a first time.
    day = next_day(f, today + 1, last_day);
    if (!day) return std::nullopt;
    time = next_time(f, 0);
  }
  const LocalSeconds match = *day * kDay + *time;
  return match < end ? std::optional(match) : std::nullopt;
}

// When `from`, shown by the zone at `at`, is the second showing of a repeated stretch: the end of
// that stretch; else `from`.
LocalSeconds skip_second_showing(const TimeZone& zone, std::int64_t at, LocalSeconds from) {
  const Instant showing = Instant::from_unix(at);
  const auto lookup = zone.from_civil(zone.to_civil(showing).civil);
  if (lookup.kind != TimeZone::Kind::Repeated || showing < lookup.transition) return from;
  const std::int64_t old_offset = from - lookup.before.unix_seconds();
  return lookup.transition.unix_seconds() + old_offset;
}

std::int64_t offset_at(const TimeZone& zone, std::int64_t at) {
  return zone.to_civil(Instant::from_unix(at)).utc_offset_seconds;
}

}  // namespace

Instant next_activation(const FieldSet& fields, const TimeZone& zone, DstPolicy policy, Instant t) {
  if (selects_no_date(fields)) return {};
  std::int64_t at = t.unix_seconds();
  if (at < kLeastSeconds || at > kMostSeconds) return {};
  const std::int64_t horizon = at + kHorizonYears * 366 * kDay;
  const bool is_special = policy != DstPolicy::Reference && !fields.is_star_hour;

  std::int64_t offset = offset_at(zone, at);
  LocalSeconds from = at + offset + 1;
  if (is_special) from = std::max(from, skip_second_showing(zone, at + 1, from));
  for (;;) {
    Instant change;
    const bool has_change = zone.next_transition(Instant::from_unix(at), &change);
    const std::int64_t end = has_change ? std::min(change.unix_seconds(), horizon) : horizon;
    if (const auto match = find_match(fields, from, end + offset)) {
      return Instant::from_unix(*match - offset);
    }
    if (end == horizon) return {};
    const std::int64_t new_offset = offset_at(zone, end);
    if (is_special && policy == DstPolicy::RunOnceAfterGap &&
        find_match(fields, end + offset, end + new_offset)) {
      return change;
    }
    from = end + (is_special ? std::max(offset, new_offset) : new_offset);
    at = end;
    offset = new_offset;
  }
}

bool selects_no_date(const FieldSet& fields) {
  // With both day fields restricted a weekday is enough, and each month has them all.
  if (fields.is_star_day || !fields.is_star_weekday) return false;
  constexpr int kLongest[] = {0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  for (int month = 1; month <= 12; ++month) {
    const bool selected = (fields.months >> month & 1U) != 0;
    if (selected && lowest(fields.days) <= kLongest[month]) return false;
  }
  return true;
}

}  // namespace dkron::cron
