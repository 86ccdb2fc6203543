// TimeZone: a loaded IANA zone, and the way between instants and civil (wall-clock) times.
//
// A thin value over absl's cctz; copies are cheap and share the loaded data for ever. Loading reads
// /usr/share/zoneinfo once per zone. Thread-safe. Civil times that a clock change skips or repeats
// are reported as such with both instants; what to do about them is the caller's policy.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.h"

namespace dkron {

// A civil time; fields outside their range are carried over (month 13 is January), so that
// civil arithmetic is "add to a field, then normalize()".
struct Civil {
  std::int64_t year = 1;
  int month = 1;  // 1-12
  int day = 1;    // 1-31
  int hour = 0;
  int minute = 0;
  int second = 0;
  friend auto operator<=>(const Civil&, const Civil&) = default;
};

Civil normalize(Civil civil);
int weekday(const Civil& civil);  // 0 = Sunday ... 6 = Saturday
int days_in_month(std::int64_t year, int month);

class TimeZone {
 public:
  TimeZone();  // UTC

  // "" and "UTC" are UTC, "Local" is the process's zone (environment TZ, /etc/localtime). Errors
  // carry Go's texts: `unknown time zone Foo/Bar`, `time: invalid location name` (name has "..",
  // a leading '/' or a backslash).
  static Result<TimeZone> load(std::string_view name);
  static TimeZone utc() { return TimeZone(); }
  static TimeZone local();

  const std::string& name() const { return name_; }

  struct Local {
    Civil civil;
    std::int32_t nanos = 0;
    std::int32_t utc_offset_seconds = 0;
    bool is_dst = false;
  };
  Local to_civil(Instant t) const;

  enum class Kind { Unique, Skipped, Repeated };
  // Unique: before == transition == after. Skipped (the clock jumped over it) and Repeated:
  // `before` reads the civil time with the offset before the change, `after` with the one behind
  // it, `transition` is the instant of the change. So for Repeated, before < transition <= after;
  // for Skipped, after < transition <= before.
  struct Lookup {
    Kind kind = Kind::Unique;
    Instant before;
    Instant transition;
    Instant after;
  };
  Lookup from_civil(const Civil& civil) const;

  // The first change of the zone's offset strictly after `t`; false when there is none. `*at` is
  // its instant.
  bool next_transition(Instant t, Instant* at) const;

 private:
  std::string name_;
  // absl::TimeZone is one pointer; keeping it opaque keeps absl out of our headers.
  const void* impl_ = nullptr;
};

}  // namespace dkron
