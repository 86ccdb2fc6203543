// Go's duration texts. The grammar, the rounding and the error texts follow Go's time package,
// since users see them in schedules, configuration files and API errors.
#include <cstdint>

#include "base/go_text.h"
#include "base/time.h"

namespace dkron {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Nanoseconds of a unit, 0 for an unknown one.
std::uint64_t unit_nanos(std::string_view unit) {
  if (unit == "ns") return 1;
  if (unit == "us" || unit == "\xC2\xB5s" || unit == "\xCE\xBCs") return 1'000;
  if (unit == "ms") return 1'000'000;
  if (unit == "s") return 1'000'000'000;
  if (unit == "m") return 60'000'000'000;
  if (unit == "h") return 3'600'000'000'000;
  return 0;
}

constexpr std::uint64_t kLimit = std::uint64_t{1} << 63;

// Digits before the point. False on overflow.
bool take_integer(std::string_view* s, std::uint64_t* value) {
  *value = 0;
  while (!s->empty() && is_digit(s->front())) {
    if (*value > kLimit / 10) return false;
    *value = *value * 10 + static_cast<std::uint64_t>(s->front() - '0');
    if (*value > kLimit) return false;
    s->remove_prefix(1);
  }
  return true;
}

// Digits behind the point as fraction / scale; digits that no longer fit are dropped.
void take_fraction(std::string_view* s, std::uint64_t* fraction, double* scale) {
  *fraction = 0;
  *scale = 1;
  bool full = false;
  while (!s->empty() && is_digit(s->front())) {
    if (!full) {
      if (*fraction > (kLimit - 1) / 10) {
        full = true;
      } else {
        const std::uint64_t next = *fraction * 10 + static_cast<std::uint64_t>(s->front() - '0');
        if (next > kLimit) {
          full = true;
        } else {
          *fraction = next;
          *scale *= 10;
        }
      }
    }
    s->remove_prefix(1);
  }
}

std::string fraction_text(std::uint64_t value, int digits) {
  std::string text = std::to_string(value);
  text.insert(0, static_cast<std::size_t>(digits) - text.size(), '0');
  while (!text.empty() && text.back() == '0') text.pop_back();
  return text.empty() ? "" : "." + text;
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
  const auto invalid = [&] {
    return fail(ErrorCode::InvalidArgument, "time: invalid duration " + go::quote_for_time(text));
  };
  std::string_view s = text;
  bool negative = false;
  if (!s.empty() && (s.front() == '-' || s.front() == '+')) {
    negative = s.front() == '-';
    s.remove_prefix(1);
  }
  if (s == "0") return Duration(0);
  if (s.empty()) return invalid();

  std::uint64_t total = 0;
  while (!s.empty()) {
    if (s.front() != '.' && !is_digit(s.front())) return invalid();
    const std::size_t before = s.size();
    std::uint64_t value = 0;
    if (!take_integer(&s, &value)) return invalid();
    const bool has_integer = s.size() != before;
    std::uint64_t fraction = 0;
    double scale = 1;
    bool has_fraction = false;
    if (!s.empty() && s.front() == '.') {
      s.remove_prefix(1);
      const std::size_t at = s.size();
      take_fraction(&s, &fraction, &scale);
      has_fraction = s.size() != at;
    }
    if (!has_integer && !has_fraction) return invalid();

    std::size_t length = 0;
    while (length < s.size() && s[length] != '.' && !is_digit(s[length])) ++length;
    if (length == 0) {
      return fail(ErrorCode::InvalidArgument,
                  "time: missing unit in duration " + go::quote_for_time(text));
    }
    const std::string_view unit = s.substr(0, length);
    s.remove_prefix(length);
    const std::uint64_t nanos = unit_nanos(unit);
    if (nanos == 0) {
      return fail(ErrorCode::InvalidArgument, "time: unknown unit " + go::quote_for_time(unit) +
                                                  " in duration " + go::quote_for_time(text));
    }
    if (value > kLimit / nanos) return invalid();
    value *= nanos;
    if (fraction > 0) {
      value += static_cast<std::uint64_t>(static_cast<double>(fraction) *
                                          (static_cast<double>(nanos) / scale));
      if (value > kLimit) return invalid();
    }
    total += value;
    if (total > kLimit) return invalid();
  }
  if (negative) return Duration(static_cast<std::int64_t>(0 - total));
  if (total > kLimit - 1) return invalid();
  return Duration(static_cast<std::int64_t>(total));
}

std::string format_duration(Duration d) {
  if (d.count() == 0) return "0s";
  const bool negative = d.count() < 0;
  const std::uint64_t u =
      negative ? 0 - static_cast<std::uint64_t>(d.count()) : static_cast<std::uint64_t>(d.count());
  std::string text;
  if (u < 1'000) {
    text = std::to_string(u) + "ns";
  } else if (u < 1'000'000) {
    text = std::to_string(u / 1'000) + fraction_text(u % 1'000, 3) + "\xC2\xB5s";
  } else if (u < 1'000'000'000) {
    text = std::to_string(u / 1'000'000) + fraction_text(u % 1'000'000, 6) + "ms";
  } else {
    const std::uint64_t whole = u / 1'000'000'000;
    if (whole >= 3600) text += std::to_string(whole / 3600) + "h";
    if (whole >= 60) text += std::to_string(whole / 60 % 60) + "m";
    text += std::to_string(whole % 60) + fraction_text(u % 1'000'000'000, 9) + "s";
  }
  return negative ? "-" + text : text;
}

}  // namespace dkron
