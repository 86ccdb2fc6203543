// The ledger's rows: one outcome for each due instant, consecutive alike ones folded into a range.
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

bool extends(const store::LedgerRow& newest, const store::LedgerRow& row) {
  const bool foldable =
      row.outcome() == store::LedgerRow::SKIPPED || row.outcome() == store::LedgerRow::MISSED;
  return foldable && newest.outcome() == row.outcome() && newest.reason() == row.reason() &&
         newest.blocked_by() == row.blocked_by();
}

}  // namespace

// `row` is newer than all rows of the job, and no due instant lies between them, because each
// instant gets its outcome in order; so a newest row of the same kind simply grows.
Result<void> Applier::add_ledger_row(store::JobState* state, const store::LedgerRow& row) {
  const Instant last = get_time(row.last());
  store::LedgerRow merged = row;
  std::string replaced;
  if (row.outcome() == store::LedgerRow::SKIPPED || row.outcome() == store::LedgerRow::MISSED) {
    const std::string rows = keys::ledger_of(state->uid());
    bool readable = true;
    auto scanned =
        batch_.scan(rows, keys::end_of(rows), [&](std::string_view key, std::string_view value) {
          store::LedgerRow newest;
          readable = newest.ParseFromArray(value.data(), static_cast<int>(value.size()));
          if (readable && extends(newest, row)) {
            *merged.mutable_first() = newest.first();
            const std::uint64_t total = std::uint64_t{newest.count()} + row.count();
            merged.set_count(
                static_cast<std::uint32_t>(std::min<std::uint64_t>(total, kRangeCountLimit)));
            merged.set_count_is_minimum(newest.count_is_minimum() || row.count_is_minimum() ||
                                        total > kRangeCountLimit);
            replaced = key;
          }
          return false;
        });
    if (!scanned) return scanned;
    if (!readable) return fail(ErrorCode::Corrupt, "store: unreadable ledger row");
  }
  if (!replaced.empty()) {
    batch_.erase(replaced);
  } else {
    state->set_ledger_rows(state->ledger_rows() + 1);
  }
  put(keys::ledger(state->uid(), last), merged);
  return trim_ledger(state, get_time(row.recorded_at()));
}

// Instants that were due before an edit of the schedule and had no turn yet (no leader, overload).
Result<void> Applier::record_overdue(const store::Overdue& overdue, Instant now,
                                     const store::JobDefinition& definition,
                                     store::JobState* state) {
  const Instant next = get_time(state->next());
  const Instant decided = get_time(state->last_instant());
  if (!state->has_next() || next > now) return {};
  store::LedgerRow row;
  row.set_outcome(store::LedgerRow::MISSED);
  row.set_reason(store::LedgerRow::EDITED);
  set_time(row.mutable_recorded_at(), now);
  row.set_count(1);
  row.set_count_is_minimum(true);
  if (overdue.schedule_revision() == definition.schedule_revision()) {
    const Instant first = next > decided ? next : get_time(overdue.first());
    const Instant last = get_time(overdue.last());
    if (!overdue.has_first() || last <= decided || first > last) return {};
    set_time(row.mutable_first(), first);
    set_time(row.mutable_last(), last);
    if (first == get_time(overdue.first())) {
      row.set_count(overdue.count());
      row.set_count_is_minimum(overdue.count_is_minimum());
    }
  } else {
    // Another edit came in between; the range is known all the same.
    if (decided >= now) return {};
    set_time(row.mutable_first(), std::max(next, decided + nanoseconds(1)));
    set_time(row.mutable_last(), now);
  }
  *state->mutable_last_instant() = row.last();
  changes_.push_back(InstantsSkipped{state->uid(), definition.name(), row.reason(), row.count()});
  return add_ledger_row(state, row);
}

// The clock was wrong: what it recorded about instants behind `now` makes room for what will really
// be due. Executions stay. A range that reaches over `now` keeps its older part, uncounted.
Result<void> Applier::void_future(store::JobState* state, Instant now) {
  if (get_time(state->last_instant()) <= now) return {};
  set_time(state->mutable_last_instant(), now);
  const std::string rows = keys::ledger_of(state->uid());
  std::vector<std::string> doomed;
  std::optional<store::LedgerRow> cut;
  bool readable = true;
  auto scanned =
      batch_.scan(rows, keys::end_of(rows), [&](std::string_view key, std::string_view value) {
        if (keys::ledger_instant(key) <= now) return false;
        store::LedgerRow row;
        readable = row.ParseFromArray(value.data(), static_cast<int>(value.size()));
        if (!readable) return false;
        doomed.emplace_back(key);
        if (get_time(row.first()) <= now) cut = std::move(row);
        return true;
      });
  if (!scanned) return scanned;
  if (!readable) return fail(ErrorCode::Corrupt, "store: unreadable ledger row");
  for (const std::string& key : doomed) batch_.erase(key);
  state->set_ledger_rows(state->ledger_rows() - static_cast<std::uint32_t>(doomed.size()));
  if (!cut) return {};
  set_time(cut->mutable_last(), now);
  cut->set_count(1);
  cut->set_count_is_minimum(true);
  put(keys::ledger(state->uid(), now), *cut);
  state->set_ledger_rows(state->ledger_rows() + 1);
  return {};
}

// Trims in steps, once the rows exceed the limit by a quarter or enough rows have passed for age to
// matter, so that a launch costs one put. Of a job that gets no rows any more TrimLedger takes
// care.
Result<void> Applier::trim_ledger(store::JobState* state, Instant now) {
  constexpr std::uint32_t kSlack = kLedgerRowsLimit / 4;
  constexpr std::uint32_t kAgeCheckRows = 64;
  const bool too_many = state->ledger_rows() > kLedgerRowsLimit + kSlack;
  if (!too_many && state->ledger_rows() % kAgeCheckRows != 0) return {};
  return cut_ledger(state, now);
}

Result<raft::Outcome> Applier::trim_ledger_by_age(const store::TrimLedgerCommand& command) {
  auto found = find_job(command.uid());
  if (!found) return fail(found.error());
  if (!*found) return refuse(ErrorCode::NotFound, "the job was deleted");
  auto& [definition, state] = **found;
  const std::uint32_t before = state.ledger_rows();
  if (auto cut = cut_ledger(&state, get_time(command.now())); !cut) return fail(cut.error());
  if (state.ledger_rows() != before) put_state(definition, &state);
  return Outcome{};
}

// Leaves the newest rows, as many as the limits of number and age allow.
Result<void> Applier::cut_ledger(store::JobState* state, Instant now) {
  const std::string rows = keys::ledger_of(state->uid());
  const std::string end = keys::end_of(rows);
  std::uint32_t kept = 0;
  std::string from;
  auto scanned = batch_.scan(rows, end, [&](std::string_view key, std::string_view) {
    const bool old = now - keys::ledger_instant(key) > kLedgerAgeLimit;
    if (kept >= kLedgerRowsLimit || old) {
      from = key;
      return false;
    }
    ++kept;
    return true;
  });
  if (!scanned) return scanned;
  if (from.empty()) return {};
  batch_.erase_range(from, end);
  state->set_ledger_rows(kept);
  return {};
}

}  // namespace dkron::state
