#include "state/changes.h"

#include "model/rows.h"

namespace dkron::state {

std::string_view to_string(Status status) {
  switch (status) {
    case Status::None: return "";
    case Status::Success: return "success";
    case Status::Failed: return "failed";
    case Status::PartiallyFailed: return "partially_failed";
  }
  return "";
}

Status parse_status(std::string_view text) {
  if (text == "success") return Status::Success;
  if (text == "failed") return Status::Failed;
  if (text == "partially_failed") return Status::PartiallyFailed;
  return Status::None;
}

JobSummary summarize(const store::JobDefinition& definition, const store::JobState& state) {
  JobSummary summary;
  summary.uid = definition.uid();
  summary.version = state.version();
  summary.schedule_revision = definition.schedule_revision();
  summary.name = definition.name();
  summary.displayname = definition.displayname();
  summary.next = model::get_time(state.next());
  summary.last_instant = model::get_time(state.last_instant());
  summary.last_success = model::get_time(state.last_success());
  summary.last_error = model::get_time(state.last_error());
  summary.success_count = state.success_count();
  summary.error_count = state.error_count();
  summary.status = parse_status(state.status());
  summary.disabled = definition.disabled();
  summary.has_parent = !definition.parent_job().empty();
  return summary;
}

std::string_view reason_name(store::LedgerRow::Reason reason) {
  switch (reason) {
    case store::LedgerRow::CONCURRENCY: return "concurrency";
    case store::LedgerRow::DISABLED: return "disabled";
    case store::LedgerRow::NOT_STARTED_YET: return "not started yet";
    case store::LedgerRow::EXPIRED: return "expired";
    case store::LedgerRow::NO_TARGET: return "no target";
    case store::LedgerRow::OUTSIDE_WINDOW: return "outside window";
    case store::LedgerRow::SUPERSEDED: return "superseded";
    case store::LedgerRow::POLICY_SKIP: return "policy skip";
    case store::LedgerRow::OVERLOAD: return "overload";
    case store::LedgerRow::EDITED: return "edited";
    default: return "";
  }
}

}  // namespace dkron::state
