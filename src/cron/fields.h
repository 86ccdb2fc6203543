// FieldSet: the six fields of a calendar expression as bit sets (spec engine 4.2 and 4.3).
//
// Bit n of a mask stands for the value n. "Star" fields have all their bits set; the flag matters
// for the day rule and for the DST policy. Immutable values, free of threads.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace dkron::cron {

struct FieldSet {
  std::uint64_t seconds = 0;   // 0-59
  std::uint64_t minutes = 0;   // 0-59
  std::uint64_t hours = 0;     // 0-23
  std::uint64_t days = 0;      // 1-31
  std::uint64_t months = 0;    // 1-12
  std::uint64_t weekdays = 0;  // 0-6, 0 = Sunday
  bool is_star_hour = false;
  bool is_star_day = false;
  bool is_star_weekday = false;
};

// Exactly six texts, in the order of the members. Errors carry the reference's texts (spec 4.8).
// Dkron differs: a field that selects nothing (`,`) is an error; the reference accepts it and
// searches five years second by second each time.
Result<FieldSet> parse_fields(const std::vector<std::string_view>& texts);

}  // namespace dkron::cron
