#include "scheduler/plan.h"

#include <algorithm>

namespace dkron::scheduler {
namespace {

Step launch(const cron::Schedule& schedule, Instant instant, Instant now) {
  Step step;
  step.is_launch = true;
  step.first = instant;
  step.last = instant;
  step.late = now - instant > kOnTime;
  step.next = following(schedule, instant);
  return step;
}

}  // namespace

Step missed_range(const cron::Schedule& schedule, Instant first, Instant last, MissReason reason) {
  Step step;
  step.first = first;
  step.last = last;
  step.reason = reason;
  step.next = following(schedule, last);
  if (schedule.kind() == cron::Schedule::Kind::Every) {
    const std::int64_t count = (last - first) / schedule.interval() + 1;
    step.count = static_cast<std::uint32_t>(std::min<std::int64_t>(count, kCountLimit));
    step.count_is_minimum = count > kCountLimit;
    return step;
  }
  std::uint32_t count = 1;
  for (Instant t = first; t < last && count < kCountLimit; ++count) t = schedule.next_after(t);
  step.count = count;
  step.count_is_minimum = count == kCountLimit;
  return step;
}

Instant following(const cron::Schedule& schedule, Instant instant) {
  switch (schedule.kind()) {
    case cron::Schedule::Kind::Every: return instant + schedule.interval();
    case cron::Schedule::Kind::Fields: return schedule.next_after(instant);
    // Once means once: what runs within the grace period of @after is its only run.
    case cron::Schedule::Kind::At:
    case cron::Schedule::Kind::After:
    case cron::Schedule::Kind::Manually: break;
  }
  return Instant();
}

Instant newest_due(const cron::Schedule& schedule, Instant first, Instant now) {
  if (schedule.kind() == cron::Schedule::Kind::Every) {
    return first + schedule.interval() * ((now - first) / schedule.interval());
  }
  if (schedule.kind() != cron::Schedule::Kind::Fields) return first;
  // Looks back in growing spans, so that a long backlog is not walked instant by instant.
  Instant t = first;
  for (Duration span = seconds(2); span < now - first; span *= 4) {
    const Instant found = schedule.next_after(now - span);
    if (!found.is_zero() && found <= now) {
      t = std::max(t, found);
      break;
    }
  }
  for (Instant next = schedule.next_after(t); !next.is_zero() && next <= now;
       next = schedule.next_after(t)) {
    t = next;
  }
  return t;
}

std::vector<Step> plan(const PlanInput& in) {
  std::vector<Step> steps;
  const Instant newest = newest_due(in.schedule, in.due, in.now);
  Instant oldest = in.due;

  // @after carries a window of its own: the grace period.
  const bool graceful = in.schedule.kind() == cron::Schedule::Kind::After;
  const Duration window = graceful ? in.schedule.grace() : std::max(in.missed.window, kOnTime);
  const Instant edge = in.now - window;
  if (oldest < edge) {
    if (newest < edge) {
      steps.push_back(missed_range(in.schedule, oldest, newest, MissReason::OutsideWindow));
      return steps;
    }
    const Instant first_inside =
        in.schedule.kind() == cron::Schedule::Kind::Every
            ? oldest + in.schedule.interval() * ((edge - oldest) / in.schedule.interval() + 1)
            : in.schedule.next_after(edge - nanoseconds(1));
    const Instant last_outside =
        newest_due(in.schedule, oldest, std::max(oldest, first_inside - nanoseconds(1)));
    steps.push_back(missed_range(in.schedule, oldest, last_outside, MissReason::OutsideWindow));
    oldest = following(in.schedule, last_outside);
    if (oldest.is_zero() || oldest > in.now) return steps;
  }

  switch (in.missed.policy) {
    case model::MissedPolicy::All:
      steps.push_back(launch(in.schedule, oldest, in.now));
      return steps;
    case model::MissedPolicy::Latest:
      if (oldest < newest) {
        const Instant last = newest_due(in.schedule, oldest, newest - nanoseconds(1));
        steps.push_back(
            missed_range(in.schedule, oldest, last,
                         in.overloaded ? MissReason::Overload : MissReason::Superseded));
      }
      steps.push_back(launch(in.schedule, newest, in.now));
      return steps;
    case model::MissedPolicy::Skip: break;
  }
  const auto reason = in.overloaded ? MissReason::Overload : MissReason::PolicySkip;
  if (in.now - newest > kOnTime) {
    steps.push_back(missed_range(in.schedule, oldest, newest, reason));
    return steps;
  }
  if (oldest < newest) {
    const Instant last = newest_due(in.schedule, oldest, newest - nanoseconds(1));
    steps.push_back(missed_range(in.schedule, oldest, last, reason));
  }
  steps.push_back(launch(in.schedule, newest, in.now));
  return steps;
}

}  // namespace dkron::scheduler
