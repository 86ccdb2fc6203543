// The result of an attempt and what follows from it: counters, status, retry, children, retention
// (spec engine 2.3 ExecutionDone, 5.6, 5.10). Status and follow-ups are decided exactly once, when
// the last target of a run is final; only the real result of an attempt that was given up as lost
// corrects the status afterwards.
#include <algorithm>

#include "base/assert.h"
#include "model/rows.h"
#include "state/applier.h"
#include "state/machine.h"
#include "store/keys.h"

namespace dkron::state {

namespace keys = store::keys;
using model::get_time;
using model::set_time;

namespace {

store::Execution execution_row(const store::DoneCommand& command, const std::string& job_name,
                               const store::OpenGroup* group) {
  store::Execution row;
  row.set_job_name(job_name);
  row.set_group(command.group());
  row.set_node(command.node());
  row.set_attempt(command.attempt());
  if (command.has_started_at()) *row.mutable_started_at() = command.started_at();
  *row.mutable_finished_at() = command.finished_at();
  row.set_success(command.success());
  row.set_lost(command.lost());
  if (group != nullptr && group->has_scheduled_at())
    *row.mutable_scheduled_at() = group->scheduled_at();
  row.set_output_bytes(command.output_bytes());
  row.set_output_truncated(command.output_truncated());
  return row;
}

std::string_view status_of(const store::OpenGroup& group) {
  const auto successes = std::count_if(group.targets().begin(), group.targets().end(),
                                       [](const store::Target& t) { return t.success(); });
  if (successes == group.targets_size()) return "success";
  return successes == 0 ? "failed" : "partially_failed";
}

// A restored counter may stand at the end of its range.
std::int32_t one_more(std::int32_t count) {
  return count == INT32_MAX ? count : count + 1;
}

// Of an attempt that was given up as lost; a later one of the same target has the last word.
void take_success(const store::DoneCommand& command, store::OpenGroup* group) {
  for (store::Target& target : *group->mutable_targets()) {
    if (target.node() != command.node() || target.attempt() != command.attempt()) continue;
    target.set_phase(store::Target::FINAL);
    target.set_success(true);
    target.clear_retry_at();
  }
}

bool is_complete(const store::OpenGroup& group) {
  return std::all_of(group.targets().begin(), group.targets().end(),
                     [](const store::Target& t) { return t.phase() == store::Target::FINAL; });
}

}  // namespace

Result<raft::Outcome> Applier::done(const store::DoneCommand& command) {
  auto found = find_job(command.uid());
  if (!found) return fail(found.error());
  if (!*found)
    return refuse(ErrorCode::NotFound, "grpc: Received execution done for a deleted job");
  auto& [definition, state] = **found;
  const std::string group_key = keys::group(command.uid(), command.group());
  auto group = find<store::OpenGroup>(group_key);
  if (!group) return fail(group.error());
  store::Target* target = nullptr;
  if (*group) {
    for (store::Target& t : *(*group)->mutable_targets()) {
      if (t.node() == command.node() && t.attempt() == command.attempt() &&
          t.phase() == store::Target::OPEN) {
        target = &t;
      }
    }
  }
  if (target == nullptr)
    return late_result(command, definition, *group ? &**group : nullptr, &state);

  auto row = store_result(command, definition.name(), &**group, &state);
  if (!row) return fail(row.error());
  target->set_success(command.success());
  if (command.has_started_at()) *target->mutable_started_at() = command.started_at();
  const bool retries = !command.success() && command.attempt() <= definition.retries();
  if (retries) {
    const Instant due = get_time(command.now()) + Duration(command.retry_delay_ns());
    target->set_phase(store::Target::RETRY_PENDING);
    set_time(target->mutable_retry_at(), due);
    changes_.push_back(
        RetryScheduled{command.uid(), command.group(), command.node(), command.attempt() + 1, due});
  } else {
    target->set_phase(store::Target::FINAL);
  }
  changes_.push_back(
      AttemptFinished{command.uid(), model::to_execution(*row, {}), is_complete(**group)});
  if (auto trimmed = trim_executions(definition, &state); !trimmed) return fail(trimmed.error());
  return keep_or_complete(definition, **group, &state);
}

Result<raft::Outcome> Applier::keep_or_complete(const store::JobDefinition& definition,
                                                const store::OpenGroup& group,
                                                store::JobState* state) {
  if (is_complete(group)) {
    if (auto completed = complete_group(definition, group, state); !completed)
      return fail(completed.error());
  } else {
    put(keys::group(group.uid(), group.group()), group);
    put_state(definition, state);
  }
  return Outcome{};
}

Result<store::Execution> Applier::store_result(const store::DoneCommand& command,
                                               const std::string& job_name,
                                               const store::OpenGroup* group,
                                               store::JobState* state) {
  store::Execution row = execution_row(command, job_name, group);
  const std::string key =
      keys::execution(command.uid(), command.group(), command.node(), command.attempt());
  auto present = batch_.get(key);
  if (!present) return fail(present.error());
  put(key, row);
  if (!command.output().empty()) {
    batch_.put(keys::output(command.uid(), command.group(), command.node(), command.attempt()),
               command.output());
  }
  if (!present->has_value()) state->set_execution_count(state->execution_count() + 1);
  // A run that newer ones have overtaken: its row lies before those that trimming has reached.
  if (command.group() < state->oldest_group()) state->set_oldest_group(command.group());
  if (auto counted = count_result(command, state); !counted) return fail(counted.error());
  return row;
}

// A due instant for which no node matched: a failed execution without node, so that people see it
// where they look (spec engine 5.2). Its id is made of the zero time and no name.
Result<void> Applier::record_without_node(const store::LaunchCommand& launch,
                                          const store::JobDefinition& definition,
                                          store::JobState* state) {
  store::DoneCommand done;
  done.set_uid(definition.uid());
  done.set_group(launch.group());
  done.set_attempt(1);
  *done.mutable_finished_at() = launch.now();
  *done.mutable_now() = launch.now();
  done.set_output("no target nodes found to run job " + definition.name());
  done.set_output_bytes(done.output().size());
  store::OpenGroup group;
  *group.mutable_scheduled_at() = launch.instant();
  auto row = store_result(done, definition.name(), &group, state);
  if (!row) return fail(row.error());
  state->set_status("failed");
  state->set_status_group(launch.group());
  changes_.push_back(AttemptFinished{definition.uid(), model::to_execution(*row, {}), true});
  return trim_executions(definition, state);
}

// A result for an attempt that is not open: a repetition (nothing to do), or the real result of one
// that was given up as lost. That one replaces the record, corrects the counters and is told like
// any other end. A success also counts for the run: while that is open, in place of the retry that
// waits; afterwards it corrects the status, if this run is the one that decided it. Children that
// were not started then are not started now: whoever looked after them knows of the failure.
Result<raft::Outcome> Applier::late_result(const store::DoneCommand& command,
                                           const store::JobDefinition& definition,
                                           store::OpenGroup* group, store::JobState* state) {
  const std::string key =
      keys::execution(command.uid(), command.group(), command.node(), command.attempt());
  auto row = find<store::Execution>(key);
  if (!row) return fail(row.error());
  if (!*row || !(*row)->lost() || command.lost()) return Outcome{};
  store::Execution replacement = execution_row(command, definition.name(), nullptr);
  if ((*row)->has_scheduled_at()) *replacement.mutable_scheduled_at() = (*row)->scheduled_at();
  put(key, replacement);
  batch_.put(keys::output(command.uid(), command.group(), command.node(), command.attempt()),
             command.output());
  state->set_error_count(std::max(0, state->error_count() - 1));
  if (auto counted = count_day(get_time((*row)->finished_at()), 0, -1, get_time(command.now()));
      !counted) {
    return fail(counted.error());
  }
  if (auto counted = count_result(command, state); !counted) return fail(counted.error());
  if (group != nullptr) {
    if (command.success()) take_success(command, group);
  } else if (state->status_group() == command.group()) {
    auto status = recorded_status(command.uid(), command.group());
    if (!status) return fail(status.error());
    state->set_status(*status);
  }
  const bool complete = group == nullptr || is_complete(*group);
  changes_.push_back(
      AttemptFinished{command.uid(), model::to_execution(replacement, {}), complete, true});
  if (group != nullptr) return keep_or_complete(definition, *group, state);
  put_state(definition, state);
  return Outcome{};
}

// Of a run that is over, from its executions: the last attempt of each node counts.
Result<std::string> Applier::recorded_status(std::uint64_t uid, std::int64_t group) {
  store::OpenGroup run;
  bool readable = true;
  const std::string rows = keys::executions_from(uid, group);
  auto scanned =
      batch_.scan(rows, keys::end_of(rows), [&](std::string_view, std::string_view value) {
        store::Execution row;
        readable = row.ParseFromArray(value.data(), static_cast<int>(value.size()));
        if (!readable) return false;
        const int size = run.targets_size();
        const bool same_node = size > 0 && run.targets(size - 1).node() == row.node();
        store::Target* target = same_node ? run.mutable_targets(size - 1) : run.add_targets();
        target->set_node(row.node());
        target->set_success(row.success());
        return true;
      });
  if (!scanned) return fail(scanned.error());
  if (!readable) return fail(ErrorCode::Corrupt, "store: unreadable execution row");
  return std::string(status_of(run));
}

Result<void> Applier::count_result(const store::DoneCommand& command, store::JobState* state) {
  const Instant finished = get_time(command.finished_at());
  if (command.success()) {
    state->set_success_count(one_more(state->success_count()));
    if (finished > get_time(state->last_success()))
      *state->mutable_last_success() = command.finished_at();
  } else {
    state->set_error_count(one_more(state->error_count()));
    if (finished > get_time(state->last_error()))
      *state->mutable_last_error() = command.finished_at();
  }
  return count_day(finished, command.success() ? 1 : 0, command.success() ? 0 : 1,
                   get_time(command.now()));
}

// Old days go when a new one begins. How old they are is measured from `now`, the leader's clock:
// `day` is told by a node, and one whose clock is years ahead must not wipe out the history.
Result<void> Applier::count_day(Instant day, int successes, int failures, Instant now) {
  const std::string key = keys::statistics(day);
  auto row = find<store::DailyStatistics>(key);
  if (!row) return fail(row.error());
  const bool new_day = !*row;
  store::DailyStatistics statistics = row->value_or(store::DailyStatistics());
  const auto add = [](std::uint64_t value, int delta) {
    return delta < 0 && value == 0 ? 0 : value + static_cast<std::uint64_t>(delta);
  };
  statistics.set_success_count(add(statistics.success_count(), successes));
  statistics.set_failed_count(add(statistics.failed_count(), failures));
  put(key, statistics);
  if (new_day && !now.is_zero()) {
    batch_.erase_range("d/", keys::statistics(now - hours(24 * kStatisticsDays)));
  }
  return {};
}

Result<void> Applier::complete_group(const store::JobDefinition& definition,
                                     const store::OpenGroup& group, store::JobState* state) {
  batch_.erase(keys::group(group.uid(), group.group()));
  DK_ASSERT(state->open_groups() > 0);
  state->set_open_groups(state->open_groups() - 1);
  if (group.holds_slot() && state->held_slots() > 0) state->set_held_slots(state->held_slots() - 1);
  state->set_status(std::string(status_of(group)));
  state->set_status_group(group.group());
  put_state(definition, state);
  if (state->status() != "success") return {};
  if (state->dependent_jobs_size() > 0) {
    store::FollowUp follow_up;
    follow_up.set_uid(group.uid());
    follow_up.set_group(group.group());
    follow_up.set_job_name(definition.name());
    *follow_up.mutable_children() = state->dependent_jobs();
    put(keys::follow_up(group.uid(), group.group()), follow_up);
    changes_.push_back(FollowUpOpened{std::move(follow_up)});
    return {};
  }
  // Another run of the job may still be under way; then the last one to succeed deletes it.
  if (definition.ephemeral() && state->open_groups() == 0) return erase_job(definition);
  return {};
}

// Keeps the newest executions. Trims once a quarter too many are there, from the oldest group on;
// rows of runs under way are not written before their end, so none of them can be hit.
Result<void> Applier::trim_executions(const store::JobDefinition& definition,
                                      store::JobState* state) {
  const std::uint32_t wanted = std::min(definition.keep_executions(), model::kKeepExecutionsLimit);
  const std::uint32_t keep = wanted == 0 ? kDefaultKeepExecutions : wanted;
  if (state->execution_count() <= keep + std::max(keep / 4, 1U)) return {};
  const std::string rows = keys::executions_of(state->uid());
  std::uint32_t excess = state->execution_count() - keep;
  std::vector<std::string> doomed;
  std::int64_t oldest = 0;
  bool readable = true;
  auto scanned = batch_.scan(keys::executions_from(state->uid(), state->oldest_group()),
                             keys::end_of(rows), [&](std::string_view key, std::string_view value) {
                               store::Execution row;
                               readable =
                                   row.ParseFromArray(value.data(), static_cast<int>(value.size()));
                               oldest = row.group();
                               if (excess == 0 || !readable) return false;
                               doomed.emplace_back(key);
                               --excess;
                               return true;
                             });
  if (!scanned) return scanned;
  if (!readable) return fail(ErrorCode::Corrupt, "store: unreadable execution row");
  for (std::string& key : doomed) {
    batch_.erase(key);
    key[0] = 'o';  // The output lies under the same key with another first letter.
    batch_.erase(key);
  }
  state->set_execution_count(state->execution_count() - static_cast<std::uint32_t>(doomed.size()));
  state->set_oldest_group(oldest);
  return {};
}

}  // namespace dkron::state
