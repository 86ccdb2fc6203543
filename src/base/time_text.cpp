// RFC 3339, read and written as Go's time package does it (error texts included).
#include <cstdint>
#include <cstdio>

#include "base/go_text.h"
#include "base/time.h"
#include "base/time_zone.h"

namespace dkron {
namespace {

constexpr std::string_view kLayout = "2006-01-02T15:04:05Z07:00";

std::int64_t days_from_civil(std::int64_t year, int month, int day) {
  // Counts from March, so that the leap day is the last of its year.
  const std::int64_t y = month <= 2 ? year - 1 : year;
  const std::int64_t era = (y >= 0 ? y : y - 399) / 400;
  const std::int64_t year_of_era = y - era * 400;
  const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const std::int64_t day_of_era =
      year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

void civil_from_days(std::int64_t days, std::int64_t* year, int* month, int* day) {
  days += 719468;
  const std::int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const std::int64_t doe = days - era * 146097;
  const std::int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  const std::int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const std::int64_t mp = (5 * doy + 2) / 153;
  *day = static_cast<int>(doy - (153 * mp + 2) / 5 + 1);
  *month = static_cast<int>(mp < 10 ? mp + 3 : mp - 9);
  *year = yoe + era * 400 + (*month <= 2 ? 1 : 0);
}

// Reads `text` element by element of the layout, so that an error names the element as Go's does.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text), rest_(text) {}

  Result<Instant> parse() {
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
    if (!number(4, 4, &year)) return mismatch("2006");
    if (!literal('-')) return mismatch("-");
    if (!number(2, 2, &month)) return mismatch("01");
    if (month < 1 || month > 12) return out_of_range("month");
    if (!literal('-')) return mismatch("-");
    if (!number(2, 2, &day)) return mismatch("02");
    if (!literal('T')) return mismatch("T");
    // Go's "15" takes one digit or two.
    if (!number(1, 2, &hour)) return mismatch("15");
    if (hour > 23) return out_of_range("hour");
    if (!literal(':')) return mismatch(":");
    if (!number(2, 2, &minute)) return mismatch("04");
    if (minute > 59) return out_of_range("minute");
    if (!literal(':')) return mismatch(":");
    if (!number(2, 2, &second)) return mismatch("05");
    if (second > 59) return out_of_range("second");
    const std::int32_t nanos = fraction();
    int offset = 0;
    if (!literal('Z')) {
      if (auto parsed = zone(&offset); !parsed) return fail(parsed.error());
    }
    if (!rest_.empty()) {
      return failure(": extra text: " + quote(rest_));
    }
    if (day < 1 || day > days_in_month(year, month)) return out_of_range("day");
    const int second_of_day = hour * 3600 + minute * 60 + second;
    const std::int64_t unix = days_from_civil(year, month, day) * 86400 + second_of_day - offset;
    return Instant::from_unix(unix, nanos);
  }

 private:
  static std::string quote(std::string_view s) { return go::quote_for_time(s); }
  static bool digit(char c) { return c >= '0' && c <= '9'; }

  tl::unexpected<Error> failure(const std::string& tail) const {
    return fail(ErrorCode::InvalidArgument, "parsing time " + quote(text_) + tail);
  }
  tl::unexpected<Error> mismatch(std::string_view element) const {
    return failure(" as " + quote(kLayout) + ": cannot parse " + quote(rest_) + " as " +
                   quote(element));
  }
  tl::unexpected<Error> out_of_range(std::string_view what) const {
    return failure(": " + std::string(what) + " out of range");
  }

  bool literal(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool number(std::size_t least, std::size_t most, int* value) {
    std::size_t n = 0;
    *value = 0;
    while (n < most && n < rest_.size() && digit(rest_[n]))
      *value = *value * 10 + (rest_[n++] - '0');
    if (n < least) return false;
    rest_.remove_prefix(n);
    return true;
  }
  // ".123" or ",123", any number of digits; those behind the ninth are dropped.
  std::int32_t fraction() {
    if (rest_.size() < 2 || (rest_[0] != '.' && rest_[0] != ',') || !digit(rest_[1])) return 0;
    rest_.remove_prefix(1);
    std::int32_t nanos = 0;
    int digits = 0;
    while (!rest_.empty() && digit(rest_.front())) {
      if (digits < 9) {
        nanos = nanos * 10 + (rest_.front() - '0');
        ++digits;
      }
      rest_.remove_prefix(1);
    }
    for (; digits < 9; ++digits) nanos *= 10;
    return nanos;
  }
  // Go tests the ranges before it looks at the sign and at broken digits.
  Result<void> zone(int* offset) {
    if (rest_.size() < 6 || rest_[3] != ':') return mismatch("Z07:00");
    int hour = 0, minute = 0;
    const bool has_hour = two_digits(1, &hour);
    const bool has_minute = has_hour && two_digits(4, &minute);
    if (hour > 24) return out_of_range("time zone offset hour");
    if (minute > 60) return out_of_range("time zone offset minute");
    const char sign = rest_[0];
    if (!has_minute || (sign != '+' && sign != '-')) return mismatch("Z07:00");
    *offset = (hour * 3600 + minute * 60) * (sign == '-' ? -1 : 1);
    rest_.remove_prefix(6);
    return {};
  }
  bool two_digits(std::size_t at, int* value) const {
    if (!digit(rest_[at]) || !digit(rest_[at + 1])) return false;
    *value = (rest_[at] - '0') * 10 + (rest_[at + 1] - '0');
    return true;
  }

  std::string_view text_;
  std::string_view rest_;
};

}  // namespace

Result<Instant> parse_rfc3339(std::string_view text) {
  return Parser(text).parse();
}

std::string format_rfc3339(Instant t) {
  return format_rfc3339(t, 0);
}

std::string format_rfc3339(Instant t, std::int32_t utc_offset_seconds) {
  const std::int64_t local = t.unix_seconds() + utc_offset_seconds;
  std::int64_t days = local / 86400;
  std::int64_t second_of_day = local % 86400;
  if (second_of_day < 0) {
    second_of_day += 86400;
    --days;
  }
  std::int64_t year = 0;
  int month = 0, day = 0;
  civil_from_days(days, &year, &month, &day);
  char buffer[64];
  int n = std::snprintf(
      buffer, sizeof buffer, "%04lld-%02d-%02dT%02d:%02d:%02d", static_cast<long long>(year), month,
      day, static_cast<int>(second_of_day / 3600), static_cast<int>(second_of_day / 60 % 60),
      static_cast<int>(second_of_day % 60));
  std::string text(buffer, static_cast<std::size_t>(n));
  if (t.nanos() != 0) {
    n = std::snprintf(buffer, sizeof buffer, ".%09d", t.nanos());
    std::string_view fraction(buffer, static_cast<std::size_t>(n));
    while (fraction.back() == '0') fraction.remove_suffix(1);
    text += fraction;
  }
  if (utc_offset_seconds == 0) return text + "Z";
  const int magnitude = utc_offset_seconds < 0 ? -utc_offset_seconds : utc_offset_seconds;
  n = std::snprintf(buffer, sizeof buffer, "%c%02d:%02d", utc_offset_seconds < 0 ? '-' : '+',
                    magnitude / 3600, magnitude / 60 % 60);
  return text.append(buffer, static_cast<std::size_t>(n));
}

}  // namespace dkron
