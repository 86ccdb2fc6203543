// Execution: one attempt of a run on one node (spec rest-api 3.2, engine 1.3).
//
// A plain value. The public id is derived, never stored: start time in nanoseconds, '-', node name.
#pragma once

#include <cstdint>
#include <string>

#include "base/time.h"

namespace dkron::model {

struct Execution {
  std::string job_name;
  Instant started_at;   // Zero: it never started.
  Instant finished_at;  // Zero: it runs.
  bool success = false;
  bool lost = false;
  std::string output;
  std::string node_name;
  std::int64_t group = 0;
  std::uint32_t attempt = 1;
  Instant scheduled_at;            // Zero for manual and dependent runs.
  std::uint64_t output_bytes = 0;  // Written by the run, before the cap.
  bool output_truncated = false;   // By the cap, not by a query's limit.

  std::string id() const { return make_id(started_at, node_name); }
  static std::string make_id(Instant started_at, const std::string& node_name) {
    return std::to_string(started_at.unix_nanos()) + "-" + node_name;
  }
};

}  // namespace dkron::model
