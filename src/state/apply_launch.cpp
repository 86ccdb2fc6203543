// Commands that start runs or record why none was started (spec engine 5.1, 5.2; the launch
// ledger).
//
// A run may be dispatched only after one of these commands has committed: the AttemptOpened Change
// is the permission. Each command is idempotent by its own nature, so a proposer whose outcome is
// unknown may simply propose again.
#include <algorithm>

#include "model/rows.h"
#include "state/applier.h"
#include "store/keys.h"

namespace dkron::state {

namespace keys = store::keys;
using model::get_time;
using model::set_time;
using store::LedgerRow;

namespace {

LedgerRow::Reason admission(const store::JobDefinition& definition, const store::JobState& state,
                            Instant instant) {
  if (definition.disabled()) return LedgerRow::DISABLED;
  if (definition.has_starts_at() && instant < get_time(definition.starts_at()))
    return LedgerRow::NOT_STARTED_YET;
  if (definition.has_expires_at() && instant > get_time(definition.expires_at()))
    return LedgerRow::EXPIRED;
  if (definition.concurrency() == "forbid" && state.held_slots() > 0) return LedgerRow::CONCURRENCY;
  return LedgerRow::NONE;
}

store::LaunchAnswer answer_of(LedgerRow::Reason reason, std::uint64_t fence, std::int64_t group) {
  store::LaunchAnswer answer;
  answer.set_launched(reason == LedgerRow::NONE);
  answer.set_reason(reason);
  answer.set_fence(fence);
  answer.set_group(group);
  return answer;
}

void move_on(store::JobState* state, const store::Time& last_instant, const store::Time& next,
             bool has_next) {
  *state->mutable_last_instant() = last_instant;
  if (has_next) {
    *state->mutable_next() = next;
  } else {
    state->clear_next();
  }
}

}  // namespace

Result<raft::Outcome> Applier::launch(const store::LaunchCommand& command) {
  auto found = find_job(command.uid());
  if (!found) return fail(found.error());
  if (!*found) return refuse(ErrorCode::NotFound, "the job was deleted");
  auto& [definition, state] = **found;
  if (definition.schedule_revision() != command.schedule_revision()) {
    return refuse(ErrorCode::Conflict, "the schedule was changed meanwhile");
  }
  const Instant instant = get_time(command.instant());
  // The state row, not the ledger, prevents a second launch: ledger rows are trimmed.
  if (state.has_last_instant() && instant <= get_time(state.last_instant())) {
    return refuse(ErrorCode::Conflict, "the instant has its outcome already");
  }
  // A proposer with an old view of the job would leave out what lies between.
  if (instant != get_time(state.next()))
    return refuse(ErrorCode::Conflict, "the instant is not the next one");
  LedgerRow::Reason reason = admission(definition, state, instant);
  if (reason == LedgerRow::NONE && command.targets_size() == 0) reason = LedgerRow::NO_TARGET;

  LedgerRow row;
  *row.mutable_first() = command.instant();
  *row.mutable_last() = command.instant();
  *row.mutable_recorded_at() = command.now();
  row.set_count(1);
  row.set_reason(reason);
  move_on(&state, command.instant(), command.next(), command.has_next());
  if (reason == LedgerRow::NONE) {
    row.set_outcome(command.late() ? LedgerRow::LATE : LedgerRow::LAUNCHED);
    row.set_group(command.group());
    store::OpenGroup group;
    group.set_group(command.group());
    group.set_kind(command.late() ? store::OpenGroup::LATE : store::OpenGroup::SCHEDULED);
    *group.mutable_scheduled_at() = command.instant();
    group.set_holds_slot(true);
    auto opened = open_group(definition, &state, std::move(group),
                             {command.targets().begin(), command.targets().end()});
    if (!opened || opened->code != ErrorCode::Ok) return opened;
  } else {
    row.set_outcome(LedgerRow::SKIPPED);
    if (reason == LedgerRow::CONCURRENCY) {
      auto holder = slot_holder(state.uid());
      if (!holder) return fail(holder.error());
      row.set_blocked_by(*holder);
    }
    if (reason == LedgerRow::NO_TARGET) {
      if (auto recorded = record_without_node(command, definition, &state); !recorded)
        return fail(recorded.error());
    }
    changes_.push_back(InstantsSkipped{state.uid(), definition.name(), reason, 1});
  }
  if (auto added = add_ledger_row(&state, row); !added) return fail(added.error());
  put_state(definition, &state);
  return accept(answer_of(reason, index_, command.group()));
}

Result<raft::Outcome> Applier::miss(const store::MissCommand& command) {
  auto found = find_job(command.uid());
  if (!found) return fail(found.error());
  if (!*found) return refuse(ErrorCode::NotFound, "the job was deleted");
  auto& [definition, state] = **found;
  if (definition.schedule_revision() != command.schedule_revision()) {
    return refuse(ErrorCode::Conflict, "the schedule was changed meanwhile");
  }
  if (state.has_last_instant() && get_time(command.first()) <= get_time(state.last_instant())) {
    return refuse(ErrorCode::Conflict, "the instants have their outcome already");
  }
  if (get_time(command.first()) != get_time(state.next())) {
    return refuse(ErrorCode::Conflict, "the instants are not the next ones");
  }
  if (get_time(command.last()) < get_time(command.first()) || command.count() == 0) {
    return refuse(ErrorCode::InvalidArgument, "the missed instants are none");
  }
  LedgerRow row;
  row.set_outcome(LedgerRow::MISSED);
  const bool is_expired =
      definition.has_expires_at() && get_time(command.first()) > get_time(definition.expires_at());
  row.set_reason(is_expired ? LedgerRow::EXPIRED : command.reason());
  *row.mutable_first() = command.first();
  *row.mutable_last() = command.last();
  *row.mutable_recorded_at() = command.now();
  row.set_count(command.count());
  row.set_count_is_minimum(command.count_is_minimum());
  move_on(&state, command.last(), command.next(), command.has_next());
  if (auto added = add_ledger_row(&state, row); !added) return fail(added.error());
  changes_.push_back(
      InstantsSkipped{state.uid(), definition.name(), command.reason(), command.count()});
  put_state(definition, &state);
  return Outcome{};
}

Result<raft::Outcome> Applier::manual_run(const store::ManualRunCommand& command) {
  auto found = find_job(command.name());
  if (!found) return fail(found.error());
  if (!*found) return refuse(ErrorCode::NotFound, "no job " + command.name());
  auto& [definition, state] = **found;
  if (command.targets_size() == 0) {
    return refuse(ErrorCode::Conflict, "no target nodes found to run job " + command.name());
  }
  const bool takes_slot = command.respect_concurrency();
  if (takes_slot && definition.concurrency() == "forbid" && state.open_groups() > 0) {
    return refuse(
        ErrorCode::Conflict,
        "job " + command.name() + " is already running, concurrency policy forbids another run");
  }
  store::OpenGroup group;
  group.set_group(command.group());
  group.set_kind(store::OpenGroup::MANUAL);
  group.set_holds_slot(takes_slot);
  auto opened = open_group(definition, &state, std::move(group),
                           {command.targets().begin(), command.targets().end()});
  if (!opened || opened->code != ErrorCode::Ok) return opened;
  put_state(definition, &state);
  return accept(answer_of(LedgerRow::NONE, index_, command.group()));
}

// Starts one child of a finished run and strikes it off the parent's list, in one step.
Result<raft::Outcome> Applier::dependent_run(const store::DependentRunCommand& command) {
  const std::string list_key = keys::follow_up(command.parent_uid(), command.parent_group());
  auto list = find<store::FollowUp>(list_key);
  if (!list) return fail(list.error());
  if (!*list) return refuse(ErrorCode::Conflict, "the child was started already");
  auto& names = *(*list)->mutable_children();
  const auto name = std::find(names.begin(), names.end(), command.name());
  if (name == names.end()) return refuse(ErrorCode::Conflict, "the child was started already");
  names.erase(name);
  if (names.empty()) {
    batch_.erase(list_key);
  } else {
    put(list_key, **list);
  }

  auto found = find_job(command.name());
  if (!found) return fail(found.error());
  if (!*found) return accept(answer_of(LedgerRow::DISABLED, index_, 0));
  auto& [definition, state] = **found;
  LedgerRow::Reason reason = admission(definition, state, get_time(command.now()));
  if (reason == LedgerRow::NONE && command.targets_size() == 0) reason = LedgerRow::NO_TARGET;
  if (reason != LedgerRow::NONE) {
    changes_.push_back(InstantsSkipped{state.uid(), definition.name(), reason, 1});
    return accept(answer_of(reason, index_, 0));
  }
  store::OpenGroup group;
  group.set_group(command.group());
  group.set_kind(store::OpenGroup::DEPENDENT);
  group.set_holds_slot(true);
  auto opened = open_group(definition, &state, std::move(group),
                           {command.targets().begin(), command.targets().end()});
  if (!opened || opened->code != ErrorCode::Ok) return opened;
  put_state(definition, &state);
  return accept(answer_of(LedgerRow::NONE, index_, command.group()));
}

Result<raft::Outcome> Applier::retry(const store::RetryCommand& command) {
  const std::string group_key = keys::group(command.uid(), command.group());
  auto group = find<store::OpenGroup>(group_key);
  if (!group) return fail(group.error());
  if (!*group) return refuse(ErrorCode::NotFound, "the run is over");
  for (store::Target& target : *(*group)->mutable_targets()) {
    if (target.node() != command.node()) continue;
    if (target.phase() != store::Target::RETRY_PENDING || target.attempt() + 1 != command.attempt())
      break;
    target.set_phase(store::Target::OPEN);
    target.set_attempt(command.attempt());
    target.set_fence(index_);
    target.clear_started_at();
    target.clear_retry_at();
    put(group_key, **group);
    auto found = find_job(command.uid());
    if (!found) return fail(found.error());
    if (!*found) return refuse(ErrorCode::NotFound, "the job was deleted");
    changes_.push_back(AttemptOpened{
        std::make_shared<const model::Job>(model::to_job((*found)->definition, (*found)->state)),
        command.group(), target.node(), target.attempt(), index_,
        get_time((*group)->scheduled_at())});
    return accept(answer_of(LedgerRow::NONE, index_, command.group()));
  }
  return refuse(ErrorCode::Conflict, "the retry was started already");
}

Result<raft::Outcome> Applier::started(const store::StartedCommand& command) {
  const std::string group_key = keys::group(command.uid(), command.group());
  auto group = find<store::OpenGroup>(group_key);
  if (!group) return fail(group.error());
  if (!*group) return refuse(ErrorCode::NotFound, "the run is over");
  auto state = find<store::JobState>(keys::state(command.uid()));
  if (!state) return fail(state.error());
  if (!*state) return refuse(ErrorCode::NotFound, "the job was deleted");
  for (store::Target& target : *(*group)->mutable_targets()) {
    const bool meant = target.node() == command.node() && target.attempt() == command.attempt() &&
                       target.phase() == store::Target::OPEN;
    if (!meant) continue;
    *target.mutable_started_at() = command.started_at();
    put(group_key, **group);
    return Outcome{};
  }
  return refuse(ErrorCode::Conflict, "the attempt is over");
}

// Refused when a run of that group is under way: its row would be lost and the job count it for
// ever.
Result<raft::Outcome> Applier::open_group(const store::JobDefinition& definition,
                                          store::JobState* state, store::OpenGroup group,
                                          std::vector<std::string> targets) {
  const std::string key = keys::group(definition.uid(), group.group());
  auto present = batch_.get(key);
  if (!present) return fail(present.error());
  if (present->has_value()) return refuse(ErrorCode::Conflict, "a run of that group is under way");
  std::sort(targets.begin(), targets.end());
  targets.erase(std::unique(targets.begin(), targets.end()), targets.end());

  group.set_uid(definition.uid());
  const auto job = std::make_shared<const model::Job>(model::to_job(definition, *state));
  for (const std::string& node : targets) {
    store::Target* target = group.add_targets();
    target->set_node(node);
    target->set_attempt(1);
    target->set_fence(index_);
    changes_.push_back(
        AttemptOpened{job, group.group(), node, 1, index_, get_time(group.scheduled_at())});
  }
  state->set_open_groups(state->open_groups() + 1);
  if (group.holds_slot()) state->set_held_slots(state->held_slots() + 1);
  put(key, group);
  return Outcome{};
}

// The run that holds the job's slot, for the ledger's "blocked by".
Result<std::int64_t> Applier::slot_holder(std::uint64_t uid) {
  const std::string rows = keys::groups_of(uid);
  std::int64_t holder = 0;
  auto scanned =
      batch_.scan(rows, keys::end_of(rows), [&](std::string_view, std::string_view value) {
        store::OpenGroup group;
        if (group.ParseFromArray(value.data(), static_cast<int>(value.size())) &&
            group.holds_slot()) {
          holder = group.group();
        }
        return holder == 0;
      });
  if (!scanned) return fail(scanned.error());
  return holder;
}

}  // namespace dkron::state
