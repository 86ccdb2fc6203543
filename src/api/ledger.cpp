// The launch ledger: every due instant of a job with its outcome, and "why did it (not) run?".
//
// Dkron differs: the original keeps no trace of an activation that did not run.
#include "api/api.h"
#include "api/paging.h"
#include "model/job_json.h"
#include "model/rows.h"
#include "state/changes.h"
#include "state/views.h"

namespace dkron::api {
namespace {

using store::LedgerRow;

constexpr std::uint64_t kLedgerPageLength = 100;  // Without `_end`.

std::string_view outcome_name(LedgerRow::Outcome outcome) {
  switch (outcome) {
    case LedgerRow::LAUNCHED: return "launched";
    case LedgerRow::LATE: return "late";
    case LedgerRow::SKIPPED: return "skipped";
    case LedgerRow::MISSED: return "missed";
    default: return "unknown";
  }
}

std::string_view reason_sentence(LedgerRow::Reason reason) {
  switch (reason) {
    case LedgerRow::CONCURRENCY:
      return "a run of the job was under way and its concurrency is forbid";
    case LedgerRow::DISABLED: return "the job was disabled";
    case LedgerRow::NOT_STARTED_YET: return "the job's starts_at lay in the future";
    case LedgerRow::EXPIRED: return "the job's expires_at had passed";
    case LedgerRow::NO_TARGET: return "no node matched the job's tags";
    case LedgerRow::OUTSIDE_WINDOW:
      return "nothing could be launched at that time, and when it could again, the instant was "
             "older than the "
             "job's missed-run window";
    case LedgerRow::SUPERSEDED:
      return "several instants were due at once and the job's missed-run policy runs the latest "
             "only";
    case LedgerRow::POLICY_SKIP:
      return "it could not be launched in time and the job's missed-run policy is skip";
    case LedgerRow::OVERLOAD: return "more runs were due than could be started";
    case LedgerRow::EDITED: return "the schedule was changed before the run could be started";
    default: return "of a reason that this version does not know";
  }
}

void append_text(std::string* out, std::string_view name, std::string_view value) {
  *out += ",\"";
  *out += name;
  *out += "\":";
  model::append_json_string(out, value);
}

void append_group(std::string* out, std::string_view name, std::int64_t group) {
  *out += ",\"";
  *out += name;
  *out += group == 0 ? "\":null" : "\":\"" + std::to_string(group) + "\"";
}

void append_row(std::string* out, const LedgerRow& row) {
  *out += "{\"scheduled_at\":\"" + format_rfc3339(model::get_time(row.first())) + '"';
  append_text(out, "until", format_rfc3339(model::get_time(row.last())));
  *out += ",\"count\":" + std::to_string(row.count());
  if (row.count_is_minimum()) *out += ",\"count_is_minimum\":true";
  append_text(out, "outcome", outcome_name(row.outcome()));
  append_text(out, "reason", state::reason_name(row.reason()));
  append_group(out, "group", row.group());
  append_group(out, "blocked_by", row.blocked_by());
  *out += '}';
}

// Whether the job's schedule, as it is now, has an activation at `at`.
bool is_activation(Instant at, const model::Job& job) {
  const auto schedule = model::parse_schedule(job, TimeZone::local());
  if (!schedule) return false;
  switch (schedule->kind()) {
    case cron::Schedule::Kind::Fields: return schedule->next_after(at - nanoseconds(1)) == at;
    case cron::Schedule::Kind::Every: {
      const Instant known = job.last_instant.is_zero() ? job.next : job.last_instant;
      return !known.is_zero() && (at - known) % schedule->interval() == Duration(0);
    }
    case cron::Schedule::Kind::At:
    case cron::Schedule::Kind::After: return schedule->instant() == at;
    case cron::Schedule::Kind::Manually: return false;
  }
  return false;
}

std::string explain_launched(const LedgerRow& row) {
  return "It was launched as run " + std::to_string(row.group()) +
         (row.outcome() == LedgerRow::LATE ? ", late." : ".");
}

std::string explain_unrecorded(Instant at, const model::Job& job, Instant now) {
  const std::string when = format_rfc3339(at);
  if (at > now) {
    return when + " lies in the future; the job's next activation is " +
           (job.next.is_zero() ? std::string("never") : format_rfc3339(job.next)) + ".";
  }
  if (!job.parent_job.empty())
    return "The job runs behind its parent " + job.parent_job + ", not by a schedule.";
  if (!is_activation(at, job))
    return "No instant was due at " + when + " by the schedule as it is now.";
  if (!job.last_instant.is_zero() && at <= job.last_instant) {
    return "No row covers " + when +
           ": it is older than the job or its present schedule, or no longer kept.";
  }
  if (job.disabled) return "It did not run because the job is disabled.";
  if (at < job.starts_at) return "It did not run because the job's starts_at lies behind it.";
  if (!job.next.is_zero() && job.next <= at) return "It was due and is not decided yet.";
  return "Nothing is recorded for " + when + ": the job did not have this schedule then.";
}

std::string explain(Instant at, const std::optional<LedgerRow>& row, const model::Job& job,
                    Instant now) {
  if (!row) return explain_unrecorded(at, job, now);
  const bool ran = row->outcome() == LedgerRow::LAUNCHED || row->outcome() == LedgerRow::LATE;
  if (ran) return explain_launched(*row);
  // A range says nothing of the times between its instants.
  const bool is_edge = at == model::get_time(row->first()) || at == model::get_time(row->last());
  if (!is_edge && !is_activation(at, job)) {
    return "No instant was due at " + format_rfc3339(at) + " by the schedule as it is now.";
  }
  return "It did not run because " + std::string(reason_sentence(row->reason())) + ".";
}

}  // namespace

void Api::add_ledger_routes() {
  router_.add(net::Method::Get, "/v1/jobs/:job/ledger", [this](const ExchangePtr& exchange) {
    on_worker(exchange, [this](const ExchangePtr& e) {
      const auto job = read_job(e, e->parameter(0));
      if (!job) return;
      const Page wanted = read_page(*e, kLedgerPageLength);
      auto page =
          state::list_ledger(services_.store.reader(), job->uid, wanted.start, wanted.length());
      if (!page) {
        e->error(page.error());
        return;
      }
      std::string body = "[";
      for (const LedgerRow& row : page->rows) {
        if (body.size() > 1) body += ',';
        append_row(&body, row);
      }
      e->add_header("X-Total-Count", std::to_string(page->total));
      e->json(200, body + "]");
    });
  });

  router_.add(net::Method::Get, "/v1/jobs/:job/explain", [this](const ExchangePtr& exchange) {
    const auto at = parse_rfc3339(exchange->query("at"));
    if (!at) {
      exchange->error(400, "at: " + at.error().message);
      return;
    }
    on_worker(exchange, [this, at = *at, now = services_.clock.wall()](const ExchangePtr& e) {
      const auto job = read_job(e, e->parameter(0));
      if (!job) return;
      auto row = state::find_outcome(services_.store.reader(), job->uid, at);
      if (!row) {
        e->error(row.error());
        return;
      }
      std::string body = "{\"at\":\"" + format_rfc3339(at) + '"';
      append_text(&body, "outcome", *row ? outcome_name((*row)->outcome()) : "none");
      append_text(&body, "reason", *row ? state::reason_name((*row)->reason()) : "");
      append_text(&body, "text", explain(at, *row, *job, now));
      if (*row) {
        body += ",\"row\":";
        append_row(&body, **row);
      }
      e->json(200, body + "}");
    });
  });
}

}  // namespace dkron::api
