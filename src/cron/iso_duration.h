// The grace period of @after: an ISO 8601 duration, `P[nY][nM][nD][T[nH][nM][nS]]`.
//
// Source of the rules: spec engine 4.4. A year counts 365 days, a month 30. Free of threads.
#pragma once

#include <string_view>

#include "base/time.h"

namespace dkron::cron {

// Errors: `empty duration string`, `invalid ISO8601 duration format: <text>`,
// `duration must be greater than zero`. A sum beyond 292 years wraps around, as in the reference;
// a single number beyond 64 bits is an invalid format.
Result<Duration> parse_iso_duration(std::string_view text);

}  // namespace dkron::cron
