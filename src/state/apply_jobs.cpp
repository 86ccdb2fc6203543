// Commands about definitions (spec engine 2.3, rest-api 11).
#include <algorithm>

#include "model/rows.h"
#include "state/applier.h"
#include "state/machine.h"
#include "store/keys.h"

namespace dkron::state {

namespace keys = store::keys;
using model::get_time;
using model::set_time;

namespace {

// A parent chain longer than this is taken for a cycle.
constexpr int kParentDepthLimit = 1'000;
constexpr const char* kChangedMeanwhile = "the job was changed meanwhile";

bool same_activations(const store::JobDefinition& a, const store::JobDefinition& b) {
  return a.schedule() == b.schedule() && a.timezone() == b.timezone() &&
         a.dst_policy() == b.dst_policy() && a.disabled() == b.disabled() &&
         get_time(a.starts_at()) == get_time(b.starts_at()) &&
         a.parent_job().empty() == b.parent_job().empty();
}

void copy_time(store::Time* to, const store::Time& from) {
  set_time(to, get_time(from));
}

// A backup restored over an existing job never lowers counters (spec rest-api 11).
void merge_restored(const store::JobState& restored, store::JobState* state) {
  state->set_success_count(std::max(state->success_count(), restored.success_count()));
  state->set_error_count(std::max(state->error_count(), restored.error_count()));
  if (get_time(restored.last_success()) > get_time(state->last_success())) {
    copy_time(state->mutable_last_success(), restored.last_success());
  }
  if (get_time(restored.last_error()) > get_time(state->last_error())) {
    copy_time(state->mutable_last_error(), restored.last_error());
  }
  if (state->status().empty()) state->set_status(restored.status());
}

void set_next_row(store::JobState* state, const store::Time& next, bool has_next) {
  if (has_next) {
    copy_time(state->mutable_next(), next);
  } else {
    state->clear_next();
  }
}

store::JobAnswer answer_of(const store::JobDefinition& definition, const store::JobState& state) {
  store::JobAnswer answer;
  *answer.mutable_definition() = definition;
  *answer.mutable_state() = state;
  return answer;
}

}  // namespace

Result<raft::Outcome> Applier::init_cluster(const store::InitClusterCommand& command) {
  auto state = cluster();
  if (!state) return fail(state.error());
  if (state->cluster_id() == 0) {
    state->set_cluster_id(command.cluster_id());
    state->set_format_version(1);
    put(std::string(keys::kCluster), *state);
  }
  return Outcome{};
}

// The activations of a job are about to follow another rule.
Result<void> Applier::leave_schedule(const store::Overdue& overdue, Instant now,
                                     const store::JobDefinition& definition,
                                     store::JobState* state) {
  if (auto recorded = record_overdue(overdue, now, definition, state); !recorded) return recorded;
  // A job that waits for a future that will not come for long is freed by an edit.
  if (get_time(state->last_instant()) - now > kClockBack) return void_future(state, now);
  return {};
}

Result<raft::Outcome> Applier::set_job(const store::SetJobCommand& command) {
  auto cluster_state = cluster();
  if (!cluster_state) return fail(cluster_state.error());
  if (cluster_state->paused()) {
    return refuse(ErrorCode::Unavailable, "New job submissions are currently paused");
  }
  store::JobDefinition definition = command.definition();
  auto stored = find_job(definition.name());
  if (!stored) return fail(stored.error());
  const std::uint64_t revision = *stored ? (*stored)->definition.revision() : 0;
  if (command.expected_revision() != 0 && command.expected_revision() != revision) {
    return refuse(ErrorCode::Conflict, kChangedMeanwhile);
  }
  if (!definition.parent_job().empty()) {
    auto parent = find<store::JobDefinition>(keys::definition(definition.parent_job()));
    if (!parent) return fail(parent.error());
    if (!*parent) return refuse(ErrorCode::NotFound, "specified parent job not found");
    auto cycle = find_parent_cycle(definition);
    if (!cycle) return fail(cycle.error());
    if (*cycle) return refuse(ErrorCode::InvalidArgument, "parent job cycle: " + **cycle);
  }

  store::JobState state;
  std::string old_parent;
  bool activations_moved = true;
  if (*stored) {
    state = std::move((*stored)->state);
    old_parent = (*stored)->definition.parent_job();
    definition.set_uid((*stored)->definition.uid());
    activations_moved = !same_activations((*stored)->definition, definition);
    definition.set_schedule_revision((*stored)->definition.schedule_revision());
  } else {
    cluster_state->set_last_uid(cluster_state->last_uid() + 1);
    put(std::string(keys::kCluster), *cluster_state);
    definition.set_uid(cluster_state->last_uid());
    state.set_uid(definition.uid());
    state.set_name(definition.name());
    batch_.put(keys::name_of(definition.uid()), definition.name());
  }
  definition.set_revision(index_);
  if (activations_moved) {
    if (*stored) {
      const Instant now = get_time(command.now());
      auto left = leave_schedule(command.overdue(), now, (*stored)->definition, &state);
      if (!left) return fail(left.error());
    }
    definition.set_schedule_revision(index_);
    set_next_row(&state, command.next(), command.has_next());
  }
  if (command.is_restore()) merge_restored(command.restored(), &state);
  put(keys::definition(definition.name()), definition);
  put_state(definition, &state, true);
  if (auto moved = move_to_parent(definition, old_parent); !moved) return fail(moved.error());
  return accept(answer_of(definition, state));
}

// Follows the parents of `definition` as they would be; the text of the cycle when they close one.
Result<std::optional<std::string>> Applier::find_parent_cycle(
    const store::JobDefinition& definition) {
  std::string path = definition.name();
  std::string parent = definition.parent_job();
  for (int depth = 0; depth < kParentDepthLimit; ++depth) {
    path += " -> " + parent;
    if (parent == definition.name()) return std::optional(path);
    auto row = find<store::JobDefinition>(keys::definition(parent));
    if (!row) return fail(row.error());
    if (!*row || (*row)->parent_job().empty()) return std::nullopt;
    parent = (*row)->parent_job();
  }
  return std::optional(path.substr(0, 1'000));
}

Result<void> Applier::move_to_parent(const store::JobDefinition& definition,
                                     const std::string& old_parent) {
  if (definition.parent_job() == old_parent) return {};
  if (!old_parent.empty()) {
    if (auto edited = edit_dependents(old_parent, definition.name(), false); !edited) return edited;
  }
  if (definition.parent_job().empty()) return {};
  return edit_dependents(definition.parent_job(), definition.name(), true);
}

// A missing parent is not an error: it may have been deleted by an older version.
Result<void> Applier::edit_dependents(const std::string& parent, const std::string& child,
                                      bool add) {
  auto found = find_job(parent);
  if (!found) return fail(found.error());
  if (!*found) return {};
  auto& names = *(*found)->state.mutable_dependent_jobs();
  names.erase(std::remove(names.begin(), names.end(), child), names.end());
  if (add) *names.Add() = child;
  put_state((*found)->definition, &(*found)->state);
  return {};
}

Result<raft::Outcome> Applier::delete_job(const store::DeleteJobCommand& command) {
  auto found = find_job(command.name());
  if (!found) return fail(found.error());
  if (!*found) return refuse(ErrorCode::NotFound, "no job " + command.name());
  const store::JobDefinition& definition = (*found)->definition;
  if (command.expected_uid() != 0 && command.expected_uid() != definition.uid()) {
    return refuse(ErrorCode::NotFound, "no job " + command.name());
  }
  if ((*found)->state.dependent_jobs_size() > 0) {
    return refuse(ErrorCode::Conflict,
                  "store: could not delete job with dependent jobs, delete children first");
  }
  if (auto erased = erase_job(definition); !erased) return fail(erased.error());
  return Outcome{};
}

Result<void> Applier::erase_job(const store::JobDefinition& definition) {
  const std::uint64_t uid = definition.uid();
  for (const std::string& prefix : {keys::executions_of(uid), keys::outputs_of(uid),
                                    keys::ledger_of(uid), keys::groups_of(uid)}) {
    batch_.erase_range(prefix, keys::end_of(prefix));
  }
  batch_.erase(keys::definition(definition.name()));
  batch_.erase(keys::state(uid));
  batch_.erase(keys::name_of(uid));
  changes_.push_back(JobDeleted{uid, definition.name()});
  if (definition.parent_job().empty()) return {};
  return edit_dependents(definition.parent_job(), definition.name(), false);
}

Result<raft::Outcome> Applier::toggle_job(const store::ToggleJobCommand& command) {
  auto found = find_job(command.name());
  if (!found) return fail(found.error());
  if (!*found) return refuse(ErrorCode::NotFound, "no job " + command.name());
  store::JobDefinition& definition = (*found)->definition;
  const bool disable = command.wish() == store::ToggleJobCommand::FLIP
                           ? !definition.disabled()
                           : command.wish() == store::ToggleJobCommand::DISABLE;
  if (disable == definition.disabled()) return accept(answer_of(definition, (*found)->state));
  if (!disable && command.overdue().schedule_revision() != definition.schedule_revision()) {
    return refuse(ErrorCode::Conflict, kChangedMeanwhile);
  }
  auto left =
      leave_schedule(command.overdue(), get_time(command.now()), definition, &(*found)->state);
  if (!left) return fail(left.error());
  definition.set_disabled(disable);
  definition.set_revision(index_);
  definition.set_schedule_revision(index_);
  set_next_row(&(*found)->state, command.next_if_enabled(),
               !disable && command.has_next_if_enabled());
  put(keys::definition(definition.name()), definition);
  put_state(definition, &(*found)->state, true);
  return accept(answer_of(definition, (*found)->state));
}

// Finished executions go; those under way stay, since their results are still to come.
Result<raft::Outcome> Applier::delete_executions(const store::DeleteExecutionsCommand& command) {
  auto found = find_job(command.name());
  if (!found) return fail(found.error());
  if (!*found) return refuse(ErrorCode::NotFound, "no job " + command.name());
  store::JobState& state = (*found)->state;
  const std::string rows = keys::executions_of(state.uid());
  const std::string outputs = keys::outputs_of(state.uid());
  batch_.erase_range(rows, keys::end_of(rows));
  batch_.erase_range(outputs, keys::end_of(outputs));
  state.set_execution_count(0);
  state.set_oldest_group(0);
  state.set_success_count(0);
  state.set_error_count(0);
  state.clear_last_success();
  state.clear_last_error();
  put_state((*found)->definition, &state);
  return Outcome{};
}

Result<raft::Outcome> Applier::set_pause(const store::SetPauseCommand& command) {
  auto state = cluster();
  if (!state) return fail(state.error());
  state->set_paused(command.paused());
  put(std::string(keys::kCluster), *state);
  changes_.push_back(PauseChanged{command.paused()});
  return Outcome{};
}

Result<raft::Outcome> Applier::set_next(const store::SetNextCommand& command) {
  auto found = find_job(command.uid());
  if (!found) return fail(found.error());
  if (!*found) return refuse(ErrorCode::NotFound, "the job was deleted");
  if ((*found)->definition.schedule_revision() != command.schedule_revision()) {
    return refuse(ErrorCode::Conflict, "the schedule was changed meanwhile");
  }
  auto& [definition, state] = **found;
  set_next_row(&state, command.next(), command.has_next());
  if (command.clock_went_back()) {
    if (auto voided = void_future(&state, get_time(command.now())); !voided)
      return fail(voided.error());
    // Launches that were planned with the old clock are refused.
    definition.set_schedule_revision(index_);
    put(keys::definition(definition.name()), definition);
  }
  put_state(definition, &state, command.clock_went_back());
  return Outcome{};
}

}  // namespace dkron::state
