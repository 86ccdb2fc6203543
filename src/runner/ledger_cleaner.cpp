#include "runner/ledger_cleaner.h"

#include "model/rows.h"
#include "state/commands.h"
#include "state/machine.h"
#include "state/views.h"

namespace dkron::runner {
namespace {

Result<std::optional<raft::Command>> trim_if_old(const store::Reader& reader, const model::Job& job,
                                                 Instant now) {
  auto is_old = state::has_outcomes_before(reader, job.uid, now - state::kLedgerAgeLimit);
  if (!is_old) return fail(is_old.error());
  if (!*is_old) return std::nullopt;
  store::TrimLedgerCommand command;
  command.set_uid(job.uid);
  model::set_time(command.mutable_now(), now);
  return state::make_command(state::Kind::TrimLedger, command);
}

}  // namespace

LedgerCleaner::LedgerCleaner(const Services& services)
    : walk_(services, "old ledger rows are dropped", trim_if_old),
      timer_(services.loop.make_timer()) {}

void LedgerCleaner::start() {
  timer_->start(kFirstPause, [this] { clean(); });
}

void LedgerCleaner::stop() {
  timer_->cancel();
  walk_.stop();
}

void LedgerCleaner::clean() {
  walk_.start();
  timer_->start(kPause, [this] { clean(); });
}

}  // namespace dkron::runner
