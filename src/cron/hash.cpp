// The `~` placeholder: values derived from the job's name (spec engine 4.5).
#include <algorithm>
#include <charconv>
#include <string>

#include "base/go_text.h"
#include "cron/schedule.h"

namespace dkron::cron {
namespace {

// What a position may hold: `count` values from `first`. Positions behind the sixth are an error
// later on; until then they count as minutes.
struct Slot {
  std::uint64_t first;
  std::uint64_t count;
};

Slot slot_of(std::size_t position) {
  switch (position) {
    case 2: return {0, 24};
    case 3: return {1, 28};  // Days that every month has.
    case 4: return {1, 12};
    case 5: return {0, 7};
    default: return {0, 60};
  }
}

std::uint64_t sum_of_code_points(std::string_view name) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0, size = 0; i < name.size(); i += size) {
    sum += go::decode_rune(name.substr(i), &size);
  }
  return sum;
}

// `~/n` starts below n, so that it takes every n-th value of the whole range.
// Dkron differs: the reference starts at the plain value, and `~/15` may run once an hour only.
std::uint64_t start_value(std::string_view item, std::uint64_t hash, Slot slot) {
  std::uint64_t modulus = slot.count;
  if (item.starts_with("~/")) {
    const std::string_view digits = item.substr(2);
    std::uint64_t step = 0;
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), step);
    const bool whole = read.ec == std::errc() && read.ptr == digits.data() + digits.size();
    if (whole && step > 0) modulus = std::min(step, slot.count);
  }
  return slot.first + hash % modulus;
}

std::string expand_part(std::string_view part, std::uint64_t hash, Slot slot) {
  std::string out;
  while (!part.empty()) {
    const std::string_view item = part.substr(0, part.find(','));
    const std::string value = std::to_string(start_value(item, hash, slot));
    for (const char c : item) {
      if (c == '~')
        out += value;
      else
        out += c;
    }
    part.remove_prefix(item.size());
    if (!part.empty()) {
      out += ',';
      part.remove_prefix(1);
    }
  }
  return out;
}

}  // namespace

std::string expand_hash(std::string_view expression, std::string_view job_name) {
  if (job_name.empty() || expression.find('~') == expression.npos) return std::string(expression);
  const std::uint64_t hash = sum_of_code_points(job_name);
  std::string out;
  std::size_t copied = 0;
  std::size_t position = 0;
  for (const std::string_view part : go::fields(expression)) {
    if (part.front() == '@') return std::string(expression);
    const auto at = static_cast<std::size_t>(part.data() - expression.data());
    out += expression.substr(copied, at - copied);
    copied = at + part.size();
    if (part.starts_with("TZ=") || part.starts_with("CRON_TZ=")) {
      out += part;
      continue;
    }
    out += expand_part(part, hash, slot_of(position));
    ++position;
  }
  out += expression.substr(copied);
  return out;
}

}  // namespace dkron::cron
