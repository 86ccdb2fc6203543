// The search for the next activation of a calendar expression (spec engine 4.7).
//
// Rule: an expression fires at exactly those instants whose local time in its zone matches. Between
// two clock changes local time is the instant plus a constant, so the search works on local seconds
// inside one such stretch, jumping from set bit to set bit, and then goes on to the next stretch.
// Work is bounded by kHorizonYears times 12 months and the clock changes in them: some 0.1 ms.
#pragma once

#include "base/time.h"
#include "base/time_zone.h"
#include "cron/fields.h"
#include "cron/schedule.h"

namespace dkron::cron {

// 29 February comes back after at most 8 years; the rest is for dates that a zone leaves out.
constexpr int kHorizonYears = 40;

// The first activation strictly after `t`; the zero Instant when none lies within the horizon.
Instant next_activation(const FieldSet& fields, const TimeZone& zone, DstPolicy policy, Instant t);

// True for dates that no calendar has (30 February).
bool selects_no_date(const FieldSet& fields);

}  // namespace dkron::cron
