// Schedule: a parsed schedule expression and the search for its next activation.
//
// Source of the language: spec engine 4 (fields, descriptors, @every @at @after @manually
// @minutely,
// `~`, zones, exact error texts). Values are immutable, cheap to copy and thread-safe; parsing and
// next_after() read no clock, and every next_after() ends within 1 ms, also for expressions that
// never fire (the search jumps from match to match and is bounded by work, not by seconds).
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/time.h"
#include "base/time_zone.h"

namespace dkron::cron {

// What a fixed local time does that a clock change skips or repeats (spec engine 4.7). Jobs whose
// hour field is "star", and @every, are not concerned.
enum class DstPolicy { Reference, RunOnceAfterGap, Skip };

// "reference", "run_once_after_gap", "skip"; "" is Reference.
Result<DstPolicy> parse_dst_policy(std::string_view text);
std::string_view to_string(DstPolicy policy);

struct Options {
  // Where an expression without zone of its own is evaluated: the job's `timezone`, else the
  // server's zone. It holds for calendar descriptors (@daily ...) too. Dkron differs: the reference
  // ignores the job's zone there.
  TimeZone zone;
  DstPolicy dst_policy = DstPolicy::Reference;
};

// Replaces every `~` by a value derived from the job's name (spec engine 4.5).
std::string expand_hash(std::string_view expression, std::string_view job_name);

class Schedule {
 public:
  enum class Kind { Fields, Every, At, After, Manually };

  // `expression` as the user wrote it; `job_name` is for `~`. The error is the parser's text
  // without the API's prefix, e.g. `expected exactly 6 fields, found 5: [* * * * *]`.
  static Result<Schedule> parse(std::string_view expression, std::string_view job_name,
                                const Options& options);

  Kind kind() const;

  // The first activation strictly after `t`, or the zero Instant when there is none. @every counts
  // whole seconds from `t` (the caller keeps its phase by passing the last activation). @after
  // gives T before T, `t` + 1 ns within the grace period, else none; that it is used up is the
  // caller's state (spec engine 4.4).
  Instant next_after(Instant t) const;

  // Every: the interval. At, After: the instant T. After: the grace period.
  Duration interval() const;
  Instant instant() const;
  Duration grace() const;

  // True when no activation can ever follow any instant (30 February; @manually is not counted).
  bool never_fires() const;

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

}  // namespace dkron::cron
