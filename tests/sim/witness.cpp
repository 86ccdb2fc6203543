#include "witness.h"

#include <algorithm>

#include "model/rows.h"
#include "report.h"
#include "state/commands.h"
#include "state/views.h"
#include "store/keys.h"
#include "trace.h"

namespace dkron::sim {

namespace keys = store::keys;
using model::get_time;

namespace {

constexpr Duration kOnTime = seconds(5);

template <class Message>
Message decode(const std::string& payload) {
  Message message;
  if (!message.ParseFromString(payload)) fail_simulation("a committed command cannot be decoded");
  return message;
}

// What comes behind an instant; written anew here, so as not to trust scheduler/plan.
Instant behind(const cron::Schedule& schedule, Instant t) {
  switch (schedule.kind()) {
    case cron::Schedule::Kind::Every: return t + schedule.interval();
    case cron::Schedule::Kind::Fields: return schedule.next_after(t);
    default: return Instant();
  }
}

std::string text(Instant t) {
  return t.is_zero() ? "never" : format_rfc3339(t);
}

template <class T>
T must(Result<T> result) {
  if (!result) fail_simulation("the witness cannot read: " + result.error().message);
  return std::move(*result);
}

std::uint32_t count_rows(const store::Reader& reader, const std::string& prefix) {
  std::uint32_t count = 0;
  const auto scanned =
      reader.scan(prefix, keys::end_of(prefix), [&](std::string_view, std::string_view) {
        ++count;
        return true;
      });
  if (!scanned) fail_simulation("the witness cannot scan");
  return count;
}

}  // namespace

Witness::Witness(const SimTime& time, Log& log) : time_(time), log_(log) {
  machine_ = must(state::Machine::open(
      store_, [this](state::Changes changes) { changes_ = std::move(changes); }));
}

std::string Witness::say(const Watched& w) const {
  return "job " + w.job.name + " (" + std::to_string(w.job.uid) + ", \"" + w.job.schedule +
         "\", next " + text(w.next) + ", newest " + text(w.newest) + ") at " +
         format_duration(time_.now()) + ", entry " + std::to_string(log_.size());
}

void Witness::on_append(std::uint64_t index) {
  Entry& entry = log_.entries[index - 1];
  entry.outcomes = must(machine_->apply(index, views_of(entry)));
  changes_.clear();
  machine_->publish();
  if (!traced_.empty()) trace_entry(index);
  edits_.clear();
  admitted_.clear();
  // First what was decided about due instants: a decision that stands behind an edit was refused.
  for (std::size_t i = 0; i < entry.commands.size(); ++i)
    read_command(entry.commands[i], entry.outcomes[i]);
  std::set<std::uint64_t> touched;
  for (const state::Change& change : changes_) {
    if (const auto* opened = std::get_if<state::AttemptOpened>(&change)) {
      groups_.insert(opened->group);
      opened_.emplace(opened->job->uid, opened->group, opened->node, opened->attempt,
                      opened->fence);
    } else if (const auto* deleted = std::get_if<state::JobDeleted>(&change)) {
      jobs_.erase(deleted->uid);
    } else if (const auto* changed = std::get_if<state::JobChanged>(&change)) {
      touched.insert(changed->summary.uid);
    }
  }
  for (const auto& [name, edits] : edits_) reload(name, edits);
  for (const std::uint64_t uid : touched) {
    check_slots(uid);
    if (index % 16 == 0) check_counters(uid);
  }
}

void Witness::trace_entry(std::uint64_t index) const {
  const auto named = [this](const auto& known) { return known.second.job.name == traced_; };
  const auto job = std::find_if(jobs_.begin(), jobs_.end(), named);
  trace_job(log_.entries[index - 1], index, time_.now(), traced_,
            job == jobs_.end() ? 0 : job->first);
}

void Witness::read_command(const raft::Command& command, const raft::Outcome& outcome) {
  // The same request again has the outcome of the first.
  if (command.request_id != 0 && !requests_.insert(command.request_id).second) return;
  switch (static_cast<state::Kind>(command.kind)) {
    case state::Kind::Launch:
      on_launch(decode<store::LaunchCommand>(command.payload), outcome);
      break;
    case state::Kind::Miss: on_miss(decode<store::MissCommand>(command.payload), outcome); break;
    case state::Kind::SetJob:
      on_set_job(decode<store::SetJobCommand>(command.payload), outcome);
      break;
    case state::Kind::ToggleJob:
      on_toggle(decode<store::ToggleJobCommand>(command.payload), outcome);
      break;
    case state::Kind::SetNext:
      on_set_next(decode<store::SetNextCommand>(command.payload), outcome);
      break;
    default: break;
  }
}

// ---- Due instants

void Witness::on_launch(const store::LaunchCommand& command, const raft::Outcome& outcome) {
  if (outcome.code != ErrorCode::Ok) {
    refused(command.uid(), outcome);
    return;
  }
  const auto answer = decode<store::LaunchAnswer>(outcome.payload);
  if (answer.launched()) {
    ++launches_;
    admitted_.insert(command.uid());
  } else {
    ++skips_;
  }
  const Instant instant = get_time(command.instant());
  advance(command.uid(), instant, instant, 1, false, get_time(command.next()));
}

void Witness::on_miss(const store::MissCommand& command, const raft::Outcome& outcome) {
  if (outcome.code != ErrorCode::Ok) {
    refused(command.uid(), outcome);
    return;
  }
  misses_ += command.count();
  const auto watched = jobs_.find(command.uid());
  if (watched != jobs_.end()) check_policy(watched->second, command);
  advance(command.uid(), get_time(command.first()), get_time(command.last()), command.count(),
          command.count_is_minimum(), get_time(command.next()));
}

void Witness::refused(std::uint64_t uid, const raft::Outcome& outcome) {
  ++refusals_;
  const auto watched = jobs_.find(uid);
  if (watched == jobs_.end()) return;
  if (++watched->second.refused > kRefusedInARow) {
    fail_simulation("launches are refused again and again (" + outcome.message +
                    "): " + say(watched->second));
  }
}

void Witness::advance(std::uint64_t uid, Instant first, Instant last, std::uint32_t count,
                      bool count_is_minimum, Instant next) {
  const auto found = jobs_.find(uid);
  if (found == jobs_.end())
    fail_simulation("an instant of job " + std::to_string(uid) + " was decided, which is unknown");
  Watched& w = found->second;
  w.refused = 0;
  if (!w.schedule) fail_simulation("a job without schedule has an instant: " + say(w));
  if (first != w.next)
    fail_simulation("the instant decided is " + text(first) + ", not the next one: " + say(w));
  std::uint32_t seen = 1;
  Instant t = first;
  for (; t < last && seen < 2'000'000; ++seen) t = behind(*w.schedule, t);
  if (t != last)
    fail_simulation("a range ends at " + text(last) + ", which is no activation: " + say(w));
  if (!count_is_minimum && seen != count) {
    fail_simulation("a range of " + std::to_string(seen) + " instants is counted as " +
                    std::to_string(count) + ": " + say(w));
  }
  w.newest = last;
  w.next = behind(*w.schedule, last);
  if (w.next != next)
    fail_simulation("the activation behind " + text(last) + " is not " + text(next) + ": " +
                    say(w));
  w.covers.push_back({first, last, count, count_is_minimum});
}

// Policies are read when an instant is planned, so an edit needs a while to take effect.
void Witness::check_policy(const Watched& w, const store::MissCommand& command) const {
  if (time_.now() - w.edited_at < seconds(30)) return;
  const Instant now = get_time(command.now());
  const Duration window = w.schedule->kind() == cron::Schedule::Kind::After
                              ? w.schedule->grace()
                              : std::max(w.job.missed().window, kOnTime);
  const bool is_outside = now - get_time(command.last()) > window;
  if (command.reason() == store::LedgerRow::OUTSIDE_WINDOW) {
    if (!is_outside) fail_simulation("an instant inside the window counts as outside: " + say(w));
  } else if (w.job.missed().policy == model::MissedPolicy::All) {
    fail_simulation("policy all left out an instant inside its window: " + say(w));
  } else if (w.job.missed().policy == model::MissedPolicy::Latest && is_outside) {
    fail_simulation("an instant outside the window is not named so: " + say(w));
  }
}

// ---- Edits

void Witness::on_set_job(const store::SetJobCommand& command, const raft::Outcome& outcome) {
  if (outcome.code != ErrorCode::Ok) return;
  written_.insert(command.definition().displayname());
  edits_[command.definition().name()].push_back(
      {get_time(command.now()), get_time(command.next()), false, false});
}

void Witness::on_toggle(const store::ToggleJobCommand& command, const raft::Outcome& outcome) {
  if (outcome.code != ErrorCode::Ok) return;
  auto& edits = edits_[command.name()];
  edits.push_back({get_time(command.now()), get_time(command.next_if_enabled()), false, false});
  edits.push_back({get_time(command.now()), Instant(), false, false});
}

void Witness::on_set_next(const store::SetNextCommand& command, const raft::Outcome& outcome) {
  if (outcome.code != ErrorCode::Ok) return;
  const auto found = jobs_.find(command.uid());
  if (found == jobs_.end()) fail_simulation("SetNext reached an unknown job");
  edits_[found->second.job.name].push_back(
      {get_time(command.now()), get_time(command.next()), true, command.clock_went_back()});
}

void Witness::reload(const std::string& name, const std::vector<Edit>& edits) {
  auto job = must(state::find_job(store_.reader(), name));
  if (!job) return;  // Deleted in the same entry.
  Watched& w = jobs_[job->uid];
  const bool is_new = w.job.uid == 0;
  const bool moved = is_new || w.job.schedule_revision != job->schedule_revision;
  const auto edit =
      std::find_if(edits.begin(), edits.end(), [&](const Edit& e) { return e.next == job->next; });
  if (moved || edits.back().is_set_next) {
    if (edit == edits.end())
      fail_simulation("an edit leaves " + text(job->next) + " as the next activation: " + say(w));
    const bool is_skip = edit->is_set_next && !edit->clock_went_back;
    if (is_skip) {
      check_skip(w, edit->next);
    } else {
      if (!is_new && !edit->clock_went_back) check_edit_lost_nothing(w, edits.front().now);
      check_first(w, *job, edit->now, job->next);
      if (edit->clock_went_back || w.newest - edit->now > state::kClockBack)
        forget_future(&w, edit->now);
    }
    w.next = job->next;
    w.newest = job->last_instant;
    w.refused = 0;
    w.schedule.reset();
    if (auto schedule = model::parse_schedule(*job, TimeZone::utc())) w.schedule = *schedule;
  } else if (job->next != w.next) {
    fail_simulation("an edit moved the next activation to " + text(job->next) + ": " + say(w));
  }
  w.edited_at = time_.now();
  w.job = std::move(*job);
}

// Nothing is decided twice: what comes is the first activation behind the newest outcome.
void Witness::check_skip(const Watched& before, Instant next) const {
  Instant t = before.next;
  while (!t.is_zero() && t <= before.newest) t = behind(*before.schedule, t);
  if (t != next)
    fail_simulation("the skip to " + text(next) + " leaves out " + text(t) + ": " + say(before));
}

// The clock was wrong; what it recorded is void from `now` on.
void Witness::forget_future(Watched* w, Instant now) {
  w->newest = std::min(w->newest, now);
  while (!w->covers.empty() && w->covers.back().last > now) {
    if (w->covers.back().first <= now) {
      w->covers.back().last = now;
      return;
    }
    w->covers.pop_back();
  }
}

// The first activation of a new or edited job, from the definition alone.
void Witness::check_first(const Watched& before, const model::Job& job, Instant now,
                          Instant next) const {
  const auto schedule = model::parse_schedule(job, TimeZone::utc());
  bool right = true;
  if (job.disabled || !job.parent_job.empty() || !schedule) {
    right = next.is_zero();
  } else {
    const Instant from =
        std::max(now, job.starts_at.is_zero() ? now : job.starts_at - nanoseconds(1));
    switch (schedule->kind()) {
      case cron::Schedule::Kind::Manually: right = next.is_zero(); break;
      case cron::Schedule::Kind::At:
        right = next == (schedule->instant() > now ? schedule->instant() : Instant());
        break;
      case cron::Schedule::Kind::After:
        right = next.is_zero() || next == schedule->instant();
        break;
      case cron::Schedule::Kind::Every:
        right = next > from && next - from <= schedule->interval() + seconds(1);
        break;
      case cron::Schedule::Kind::Fields: right = next == schedule->next_after(from); break;
    }
  }
  if (!right)
    fail_simulation("after an edit at " + text(now) + " to \"" + job.schedule +
                    "\" the next activation is " + text(next) + ": " + say(before));
}

// What was due before the edit has its outcome in the ledger.
void Witness::check_edit_lost_nothing(const Watched& before, Instant now) {
  if (before.next.is_zero() || !before.schedule) return;
  for (Instant t = before.next; !t.is_zero() && t <= now; t = behind(*before.schedule, t)) {
    if (t <= before.newest) continue;
    const auto row = must(state::find_outcome(store_.reader(), before.job.uid, t));
    if (!row)
      fail_simulation("an edit at " + text(now) + " lost the instant " + text(t) + ": " +
                      say(before));
  }
}

// ---- State

void Witness::on_dispatch(const state::AttemptOpened& a) const {
  if (opened_.count({a.job->uid, a.group, a.node, a.attempt, a.fence}) == 0) {
    fail_simulation("a run of " + a.job->name + " was dispatched that is not committed");
  }
}

void Witness::check_slots(std::uint64_t uid) const {
  const auto bytes = must(store_.reader().get(keys::state(uid)));
  if (!bytes) return;
  const auto state = decode<store::JobState>(*bytes);
  std::uint32_t open = 0;
  std::uint32_t held = 0;
  const std::string groups = keys::groups_of(uid);
  const auto scanned = store_.reader().scan(
      groups, keys::end_of(groups), [&](std::string_view, std::string_view value) {
        const auto group = decode<store::OpenGroup>(std::string(value));
        ++open;
        if (group.holds_slot()) ++held;
        return true;
      });
  if (!scanned) fail_simulation("the witness cannot scan");
  if (state.open_groups() != open || state.held_slots() != held) {
    fail_simulation("job " + state.name() + " counts " + std::to_string(state.open_groups()) +
                    " runs and " + std::to_string(state.held_slots()) + " slots, it has " +
                    std::to_string(open) + " and " + std::to_string(held));
  }
  const auto watched = jobs_.find(uid);
  const bool admitted = admitted_.count(uid) != 0 && watched != jobs_.end() &&
                        watched->second.job.forbids_overlap() &&
                        edits_.count(watched->second.job.name) == 0;
  if (admitted && held > 1)
    fail_simulation("forbid, and yet two runs hold a slot: " + say(watched->second));
}

void Witness::check_counters(std::uint64_t uid) const {
  const auto bytes = must(store_.reader().get(keys::state(uid)));
  if (!bytes) return;
  const auto state = decode<store::JobState>(*bytes);
  const std::uint32_t executions = count_rows(store_.reader(), keys::executions_of(uid));
  const std::uint32_t ledger = count_rows(store_.reader(), keys::ledger_of(uid));
  if (state.execution_count() != executions || state.ledger_rows() != ledger) {
    fail_simulation("job " + state.name() + " counts " + std::to_string(state.execution_count()) +
                    " executions and " + std::to_string(state.ledger_rows()) +
                    " ledger rows, it has " + std::to_string(executions) + " and " +
                    std::to_string(ledger) + ", entry " + std::to_string(log_.size()));
  }
  const std::string rows = keys::executions_of(uid);
  const auto scanned =
      store_.reader().scan(rows, keys::end_of(rows), [&](std::string_view, std::string_view value) {
        if (decode<store::Execution>(std::string(value)).group() < state.oldest_group()) {
          fail_simulation("job " + state.name() + " has an execution older than its oldest group");
        }
        return false;
      });
  if (!scanned) fail_simulation("the witness cannot scan");
}

std::vector<std::string> Witness::job_names() const {
  std::vector<std::string> names;
  for (const auto& [uid, w] : jobs_) names.push_back(w.job.name);
  return names;
}

// ---- At the end

void Witness::check_nothing_overdue(Instant now, Duration tolerance) const {
  for (const auto& [uid, w] : jobs_) {
    if (!w.next.is_zero() && now - w.next > tolerance) {
      fail_simulation("an instant has no outcome at " + text(now) + ": " + say(w));
    }
  }
}

void Witness::check_nothing_open() const {
  const auto work = must(state::list_open_work(store_.reader()));
  for (const store::OpenGroup& group : work.groups) {
    fail_simulation("a run stays open for ever: " + group.ShortDebugString());
  }
  for (const store::FollowUp& follow_up : work.follow_ups) {
    fail_simulation("children are never started: " + follow_up.ShortDebugString());
  }
}

void Witness::check_ledgers() const {
  for (const auto& [uid, w] : jobs_) {
    check_counters(uid);
    check_ledger(w);
  }
}

void Witness::check_ledger(const Watched& w) const {
  const auto page = must(state::list_ledger(store_.reader(), w.job.uid, 0, UINT64_MAX));
  if (page.rows.empty()) return;
  for (std::size_t i = 0; i + 1 < page.rows.size(); ++i) {
    if (get_time(page.rows[i].first()) <= get_time(page.rows[i + 1].last())) {
      fail_simulation("two ledger rows overlap at " + text(get_time(page.rows[i].first())) + ": " +
                      say(w));
    }
  }
  const Instant oldest = get_time(page.rows.back().first());
  for (const Cover& cover : w.covers) {
    if (cover.last < oldest) continue;
    for (const Instant t : {cover.first, cover.last}) {
      if (t < oldest) continue;
      if (!must(state::find_outcome(store_.reader(), w.job.uid, t))) {
        fail_simulation("the ledger does not tell of " + text(t) + ": " + say(w));
      }
    }
  }
}

void Witness::check_replica(const std::string& name, const store::MemoryStore& store) const {
  if (store.rows() == store_.rows()) return;
  for (const auto& [key, value] : store_.rows()) {
    const auto other = store.rows().find(key);
    if (other == store.rows().end() || other->second != value)
      fail_simulation(name + " differs in row " + key);
  }
  fail_simulation(name + " has rows too many");
}

void Witness::check_replay() const {
  store::MemoryStore again;
  auto machine = must(state::Machine::open(again, [](state::Changes) {}));
  for (std::uint64_t index = 1; index <= log_.size(); ++index) {
    const Entry& entry = log_.entries[index - 1];
    if (!same_outcomes(must(machine->apply(index, views_of(entry))), entry.outcomes)) {
      fail_simulation("entry " + std::to_string(index) + " has another outcome when replayed");
    }
    machine->publish();
  }
  check_replica("the replay", again);
}

}  // namespace dkron::sim
