// Job and Execution as JSON, in and out (spec rest-api 1.3, 1.6, 3).
//
// Writing appends to a string directly, member by member in the documented order, since whole lists
// of 10,000 jobs are written per request; `<`, `>`, `&`, U+2028 and U+2029 are escaped as the
// original does. Reading takes any JSON object with the tolerance that real clients need: unknown
// members, null, echoed computed members. No state, thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "model/execution.h"
#include "model/job.h"

namespace dkron::model {

// Reads one job. Computed members that a client sends are ignored unless `take_computed` (restore).
// Errors are InvalidArgument with a cause for people, e.g. `retries must be a whole number`.
Result<Job> parse_job(std::string_view json, bool take_computed = false);

// The nesting that parse_job and parse_json accept.
inline constexpr std::size_t kJsonDepthLimit = 64;

void append_json_string(std::string* out, std::string_view text);
void append_job(std::string* out, const Job& job);

// Times are shown with the zone's offset; the zero time always as 0001-01-01T00:00:00Z.
void append_execution(std::string* out, const Execution& execution, const TimeZone& zone);

// The same with at most `output_limit_bytes` of output (the last ones, cut at a character) and the
// member `output_truncated`, as the list endpoint shows it. A negative limit means none.
void append_listed_execution(std::string* out, const Execution& execution, const TimeZone& zone,
                             std::int64_t output_limit_bytes);

// Line breaks and four blanks per level (`?pretty`).
std::string pretty(std::string_view json);

}  // namespace dkron::model
