#include "cron/iso_duration.h"

#include <charconv>
#include <string>

namespace dkron::cron {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  // Adds `<digits><letter>` to the sum, or leaves the text alone. False when the number is too big.
  bool take_whole(char letter, std::uint64_t nanos_each) {
    std::size_t n = 0;
    while (n < rest_.size() && is_digit(rest_[n])) ++n;
    if (n == 0 || n == rest_.size() || rest_[n] != letter) return true;
    std::uint64_t value = 0;
    if (std::from_chars(rest_.data(), rest_.data() + n, value).ec != std::errc()) return false;
    sum_ += value * nanos_each;
    rest_.remove_prefix(n + 1);
    return true;
  }

  // The same for seconds, which may have a decimal fraction.
  bool take_seconds() {
    const std::size_t whole = rest_.find_first_not_of("0123456789");
    if (whole == 0 || whole == rest_.npos) return true;
    std::size_t n = whole;
    if (rest_[n] == '.') {
      ++n;
      while (n < rest_.size() && is_digit(rest_[n])) ++n;
      if (n == whole + 1) return true;
    }
    if (n == rest_.size() || rest_[n] != 'S') return true;
    double value = 0;
    const auto read = std::from_chars(rest_.data(), rest_.data() + n, value);
    constexpr double kMost = 9.2e9;
    if (read.ec != std::errc() || value > kMost) return false;
    sum_ += static_cast<std::uint64_t>(value * 1e9);
    rest_.remove_prefix(n + 1);
    return true;
  }

  bool at_end() const { return rest_.empty(); }
  // Unsigned, so that the wrap-around is defined.
  std::uint64_t sum() const { return sum_; }

 private:
  std::string_view rest_;
  std::uint64_t sum_ = 0;
};

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kHour = 3600 * kSecond;
constexpr std::uint64_t kDay = 24 * kHour;

bool read(Reader* reader) {
  if (!reader->take('P')) return false;
  const bool date = reader->take_whole('Y', 365 * kDay) && reader->take_whole('M', 30 * kDay) &&
                    reader->take_whole('D', kDay);
  if (!date) return false;
  if (reader->take('T')) {
    const bool time = reader->take_whole('H', kHour) && reader->take_whole('M', 60 * kSecond) &&
                      reader->take_seconds();
    if (!time) return false;
  }
  return reader->at_end();
}

}  // namespace

Result<Duration> parse_iso_duration(std::string_view text) {
  if (text.empty()) return fail(ErrorCode::InvalidArgument, "empty duration string");
  Reader reader(text);
  if (!read(&reader)) {
    return fail(ErrorCode::InvalidArgument,
                "invalid ISO8601 duration format: " + std::string(text));
  }
  if (reader.sum() == 0) {
    return fail(ErrorCode::InvalidArgument, "duration must be greater than zero");
  }
  return Duration(static_cast<std::int64_t>(reader.sum()));
}

}  // namespace dkron::cron
