// Instant and Duration: the only forms in which time travels through the program.
//
// Duration is std::chrono::nanoseconds. Instant is a point on the UTC wall clock with nanoseconds,
// from year 0001 to 9999, as Go's time.Time, because that is what the API shows. The default
// Instant is the *zero time* 0001-01-01T00:00:00Z, which means "no time" everywhere (spec: engine
// 1). Values, free of threads; nothing here reads a clock (see base/clock.h).
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace dkron {

using Duration = std::chrono::nanoseconds;
using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::nanoseconds;
using std::chrono::seconds;

class Instant {
 public:
  static constexpr std::int64_t kZeroSeconds = -62135596800;  // 0001-01-01T00:00:00Z

  constexpr Instant() = default;

  // `nanos` must lie in [0, 1e9).
  static constexpr Instant from_unix(std::int64_t unix_seconds, std::int32_t nanos = 0) {
    Instant t;
    t.seconds_ = unix_seconds;
    t.nanos_ = nanos;
    return t;
  }
  static constexpr Instant from_unix_nanos(std::int64_t nanos) {
    std::int64_t s = nanos / 1'000'000'000;
    std::int64_t n = nanos % 1'000'000'000;
    if (n < 0) {
      n += 1'000'000'000;
      --s;
    }
    return from_unix(s, static_cast<std::int32_t>(n));
  }

  constexpr std::int64_t unix_seconds() const { return seconds_; }
  constexpr std::int32_t nanos() const { return nanos_; }

  // Wraps around outside 1678..2262 exactly as Go's UnixNano: the zero time gives
  // -6795364578871345152, which is part of the public id of runs that never started.
  constexpr std::int64_t unix_nanos() const {
    const auto wide = static_cast<std::uint64_t>(seconds_) * 1'000'000'000ULL +
                      static_cast<std::uint64_t>(nanos_);
    return static_cast<std::int64_t>(wide);
  }

  constexpr bool is_zero() const { return seconds_ == kZeroSeconds && nanos_ == 0; }
  constexpr Instant floor_seconds() const { return from_unix(seconds_); }

  friend constexpr auto operator<=>(const Instant&, const Instant&) = default;
  friend constexpr bool operator==(const Instant&, const Instant&) = default;

  friend constexpr Instant operator+(Instant t, Duration d) {
    std::int64_t s = t.seconds_ + d.count() / 1'000'000'000;
    std::int64_t n = t.nanos_ + d.count() % 1'000'000'000;
    if (n < 0) {
      n += 1'000'000'000;
      --s;
    } else if (n >= 1'000'000'000) {
      n -= 1'000'000'000;
      ++s;
    }
    return from_unix(s, static_cast<std::int32_t>(n));
  }
  friend constexpr Instant operator-(Instant t, Duration d) { return t + (-d); }

  // Saturates at Duration::min() and Duration::max() (about 292 years).
  friend constexpr Duration operator-(Instant a, Instant b) {
    const std::int64_t s = a.seconds_ - b.seconds_;
    if (s > 9'223'372'035) return Duration::max();
    if (s < -9'223'372'035) return Duration::min();
    return Duration(s * 1'000'000'000 + (a.nanos_ - b.nanos_));
  }

 private:
  std::int64_t seconds_ = kZeroSeconds;
  std::int32_t nanos_ = 0;
};

// RFC 3339 with up to nine fractional digits, final zeros cut: "2025-12-20T10:28:11.12Z". With an
// offset in seconds east of UTC: "...+02:00" ("Z" when it is 0; odd seconds are cut, as Go does).
std::string format_rfc3339(Instant t);
std::string format_rfc3339(Instant t, std::int32_t utc_offset_seconds);

// Go's time.Parse(time.RFC3339, text), including its error texts, for example
// `parsing time "2026-02-01" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "T"`.
Result<Instant> parse_rfc3339(std::string_view text);

// Go's duration texts ("1h30m", "1.5s", "-300ms", "0"), with Go's error texts, for example
// `time: missing unit in duration "10"`. Go's String() form for the way back ("1h30m0s").
Result<Duration> parse_duration(std::string_view text);
std::string format_duration(Duration d);

}  // namespace dkron
