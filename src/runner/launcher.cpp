#include "runner/launcher.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "model/rows.h"
#include "state/commands.h"
#include "state/views.h"

namespace dkron::runner {

using model::set_time;
using scheduler::Step;

namespace {

store::LedgerRow::Reason to_reason(scheduler::MissReason reason) {
  switch (reason) {
    case scheduler::MissReason::OutsideWindow: return store::LedgerRow::OUTSIDE_WINDOW;
    case scheduler::MissReason::Superseded: return store::LedgerRow::SUPERSEDED;
    case scheduler::MissReason::PolicySkip: return store::LedgerRow::POLICY_SKIP;
    case scheduler::MissReason::Overload: return store::LedgerRow::OVERLOAD;
  }
  return store::LedgerRow::NONE;
}

raft::Command miss_command(const state::JobSummary& job, const Step& step, Instant now) {
  store::MissCommand command;
  command.set_uid(job.uid);
  command.set_schedule_revision(job.schedule_revision);
  set_time(command.mutable_first(), step.first);
  set_time(command.mutable_last(), step.last);
  command.set_count(step.count);
  command.set_count_is_minimum(step.count_is_minimum);
  command.set_reason(to_reason(step.reason));
  if (!step.next.is_zero()) set_time(command.mutable_next(), step.next);
  set_time(command.mutable_now(), now);
  return state::make_command(state::Kind::Miss, command);
}

raft::Command launch_command(const state::JobSummary& job, const Step& step, Instant now,
                             std::int64_t group, const std::vector<std::string>& targets) {
  store::LaunchCommand command;
  command.set_uid(job.uid);
  command.set_schedule_revision(job.schedule_revision);
  set_time(command.mutable_instant(), step.first);
  if (!step.next.is_zero()) set_time(command.mutable_next(), step.next);
  command.set_group(group);
  for (const std::string& target : targets) command.add_targets(target);
  command.set_late(step.late);
  set_time(command.mutable_now(), now);
  return state::make_command(state::Kind::Launch, command);
}

// Stored activations may lie in a future that will not come for long. A job without a usable
// schedule has none.
Result<std::optional<raft::Command>> renew_activation(const model::Job& job, const TimeZone& zone,
                                                      Instant now) {
  auto schedule = model::parse_schedule(job, zone);
  if (!schedule) return std::nullopt;
  store::SetNextCommand command;
  command.set_uid(job.uid);
  command.set_schedule_revision(job.schedule_revision);
  command.set_clock_went_back(true);
  set_time(command.mutable_now(), now);
  const Instant next = model::next_activation(job, *schedule, now);
  if (!next.is_zero()) set_time(command.mutable_next(), next);
  return state::make_command(state::Kind::SetNext, command);
}

}  // namespace

Launcher::Launcher(Services services, GroupIds& groups)
    : services_(std::move(services)),
      groups_(groups),
      scheduler_(services_.loop, services_.clock,
                 {[this](std::vector<scheduler::Due> due) { on_due(std::move(due)); },
                  [this] { renewal_.start(); }}),
      renewal_(
          services_, "activations are renewed, since the wall clock went back",
          [zone = services_.server_zone](const store::Reader&, const model::Job& job, Instant now) {
            return renew_activation(job, zone, now);
          }) {}

void Launcher::start() {
  services_.index.visit(
      [this](const state::JobSummary& job) { scheduler_.set(job.uid, job.next); });
  scheduler_.start();
}

void Launcher::stop() {
  scheduler_.stop();
  scheduler_.clear();
  renewal_.stop();
  ready_.clear();
  in_hand_.clear();
  held_.clear();
  cache_.clear();
}

void Launcher::on_change(const state::JobChanged& change) {
  if (change.definition_changed) cache_.erase(change.summary.uid);
  if (scheduler_.is_running() && in_hand_.count(change.summary.uid) == 0) {
    scheduler_.set(change.summary.uid, change.summary.next);
  }
}

void Launcher::on_change(const state::JobDeleted& change) {
  cache_.erase(change.uid);
  scheduler_.remove(change.uid);
}

void Launcher::arm(std::uint64_t uid) {
  in_hand_.erase(uid);
  held_.erase(uid);
  state::JobSummary summary;
  if (scheduler_.is_running() && services_.index.find(uid, &summary))
    scheduler_.set(uid, summary.next);
}

void Launcher::on_due(std::vector<scheduler::Due> due) {
  for (const scheduler::Due& d : due) {
    if (in_hand_.insert(d.uid).second) ready_.push_back(d.uid);
  }
  pump();
}

void Launcher::pump() {
  if (!scheduler_.is_running()) return;
  while (!ready_.empty()) {
    const std::size_t waiting = services_.nodes.waiting() + launches_in_flight_;
    if (waiting >= kWaitingLimit) {
      if (!overload_logged_) {
        log::warning("scheduler: too many runs wait for their process, instants are held back",
                     {{"waiting", waiting}, {"jobs", ready_.size()}});
        overload_logged_ = true;
      }
      held_.insert(ready_.begin(), ready_.end());
      return;
    }
    const std::size_t room = std::min(kBatchJobs, kWaitingLimit - waiting);
    std::vector<raft::Command> commands;
    std::vector<Pending> pending;
    std::vector<std::uint64_t> unknown;
    for (std::size_t i = 0; i < room && !ready_.empty(); ++i) {
      const std::uint64_t uid = ready_.front();
      ready_.pop_front();
      state::JobSummary summary;
      if (!services_.index.find(uid, &summary)) {
        in_hand_.erase(uid);
        continue;
      }
      const auto planned = cache_.find(uid);
      if (planned == cache_.end()) {
        unknown.push_back(uid);
      } else {
        add_commands(summary, planned->second, &commands, &pending);
      }
    }
    if (!unknown.empty()) load(std::move(unknown));
    if (!commands.empty()) propose(std::move(commands), std::move(pending));
  }
  if (overload_logged_) {
    log::info("scheduler: no more instants are held back");
    overload_logged_ = false;
  }
}

void Launcher::add_commands(const state::JobSummary& summary, const Planned& planned,
                            std::vector<raft::Command>* commands, std::vector<Pending>* pending) {
  const Instant now = services_.clock.wall();
  if (summary.next.is_zero() || summary.next > now) {
    arm(summary.uid);
    return;
  }
  if (summary.next <= summary.last_instant) {
    skip_decided(summary, planned.schedule, commands, pending);
    return;
  }
  const auto steps = scheduler::plan(scheduler::PlanInput{
      planned.schedule, planned.job->missed(), summary.next, now, held_.count(summary.uid) != 0});
  const bool replays =
      std::any_of(steps.begin(), steps.end(), [](const Step& s) { return s.late; });
  if (replays && !take_replay_token()) {
    // The wake-up time is not the instant; the plan is made anew from the state.
    in_hand_.erase(summary.uid);
    scheduler_.set(summary.uid, now + kRetryPause);
    return;
  }
  for (const Step& step : steps) {
    Pending entry{summary.uid, store::LedgerRow::NONE, step.is_launch, step.late};
    if (step.is_launch) {
      commands->push_back(launch_command(summary, step, now, groups_.next(),
                                         services_.nodes.select(planned.job->tags)));
    } else {
      entry.reason = to_reason(step.reason);
      commands->push_back(miss_command(summary, step, now));
    }
    pending->push_back(entry);
  }
}

// An edit, or a wall clock that went back a little, may leave a `next` that has its outcome
// already. No instant is decided twice: the job goes on behind the newest decided one.
void Launcher::skip_decided(const state::JobSummary& summary, const cron::Schedule& schedule,
                            std::vector<raft::Command>* commands, std::vector<Pending>* pending) {
  store::SetNextCommand command;
  command.set_uid(summary.uid);
  command.set_schedule_revision(summary.schedule_revision);
  const Instant next = scheduler::following(
      schedule, scheduler::newest_due(schedule, summary.next, summary.last_instant));
  if (!next.is_zero()) set_time(command.mutable_next(), next);
  set_time(command.mutable_now(), services_.clock.wall());
  commands->push_back(state::make_command(state::Kind::SetNext, command));
  pending->push_back(Pending{summary.uid, store::LedgerRow::NONE, false, false});
}

bool Launcher::take_replay_token() {
  const Duration now = services_.clock.steady();
  const double passed = std::chrono::duration<double>(now - replay_filled_at_).count();
  replay_filled_at_ = now;
  replay_tokens_ = std::min(kReplaysPerSecond, replay_tokens_ + passed * kReplaysPerSecond);
  if (replay_tokens_ < 1) return false;
  replay_tokens_ -= 1;
  return true;
}

void Launcher::propose(std::vector<raft::Command> commands, std::vector<Pending> pending) {
  const auto launches = static_cast<std::size_t>(
      std::count_if(pending.begin(), pending.end(), [](const Pending& p) { return p.is_launch; }));
  launches_in_flight_ += launches;
  services_.propose(
      std::move(commands),
      [this, launches,
       pending = std::move(pending)](const Result<std::vector<raft::Outcome>>& outcomes) {
        launches_in_flight_ -= launches;
        on_outcome(pending, outcomes);
      },
      false);
}

void Launcher::on_outcome(const std::vector<Pending>& pending,
                          const Result<std::vector<raft::Outcome>>& outcomes) {
  if (!outcomes) {
    // Launches are idempotent by their instant: the state decides what is still to do.
    if (!scheduler_.is_running()) return;
    if (!std::exchange(failure_logged_, true)) {
      log::warning("scheduler: launches are not committed, they are tried again",
                   {{"error", outcomes.error()}, {"count", pending.size()}});
    }
    const Instant again = services_.clock.wall() + kRetryPause;
    for (const Pending& p : pending) {
      in_hand_.erase(p.uid);
      scheduler_.set(p.uid, again);
    }
    return;
  }
  if (std::exchange(failure_logged_, false)) log::info("scheduler: launches are committed again");
  for (std::size_t i = 0; i < pending.size(); ++i) {
    const Pending& p = pending[i];
    if ((*outcomes)[i].code == ErrorCode::Ok && p.is_launch) {
      store::LaunchAnswer answer;
      if (answer.ParseFromString((*outcomes)[i].payload) && answer.launched()) {
        (p.late ? services_.counters.late : services_.counters.launched).add();
      }
    }
    if (i + 1 == pending.size() || pending[i + 1].uid != p.uid) arm(p.uid);
  }
  pump();
}

void Launcher::load(std::vector<std::uint64_t> uids) {
  const bool accepted =
      services_.workers.try_post([this, uids, reader = &services_.store.reader(),
                                  zone = services_.server_zone, post = services_.loop.poster()] {
        auto loaded = load_planned(*reader, uids, zone);
        post([this, uids, loaded = std::move(loaded)]() mutable {
          Loaded planned;
          for (auto& [uid, entry] : loaded)
            planned.emplace_back(uid, Planned{entry.first, std::move(entry.second)});
          on_loaded(uids, std::move(planned));
        });
      });
  if (accepted) return;
  const Instant again = services_.clock.wall() + kRetryPause;
  for (const std::uint64_t uid : uids) {
    in_hand_.erase(uid);
    scheduler_.set(uid, again);
  }
}

void Launcher::on_loaded(const std::vector<std::uint64_t>& asked, Loaded loaded) {
  if (!scheduler_.is_running()) return;
  if (cache_.size() + loaded.size() > kCachedJobs) cache_.clear();
  for (auto& [uid, planned] : loaded) {
    state::JobSummary summary;
    // An edit that came in between made the copy stale.
    if (services_.index.find(uid, &summary) &&
        summary.schedule_revision == planned.job->schedule_revision) {
      cache_.insert_or_assign(uid, std::move(planned));
    }
  }
  std::vector<std::uint64_t> again;
  for (const std::uint64_t uid : asked) {
    if (cache_.count(uid) != 0) {
      again.push_back(uid);
    } else {
      arm_stale(uid);
    }
  }
  ready_.insert(ready_.begin(), again.begin(), again.end());
  pump();
}

void Launcher::arm_stale(std::uint64_t uid) {
  in_hand_.erase(uid);
  state::JobSummary summary;
  if (services_.index.find(uid, &summary)) scheduler_.set(uid, services_.clock.wall() + seconds(1));
}

std::vector<std::pair<std::uint64_t, std::pair<std::shared_ptr<const model::Job>, cron::Schedule>>>
load_planned(const store::Reader& reader, const std::vector<std::uint64_t>& uids,
             const TimeZone& zone) {
  std::vector<
      std::pair<std::uint64_t, std::pair<std::shared_ptr<const model::Job>, cron::Schedule>>>
      loaded;
  for (const std::uint64_t uid : uids) {
    auto job = state::find_job(reader, uid);
    if (!job) log::error("scheduler: cannot read a job", {{"error", job.error()}});
    if (!job || !*job) continue;
    auto schedule = model::parse_schedule(**job, zone);
    if (!schedule) {
      // One bad job (a zone that this server lacks) does not stop the others.
      log::error("scheduler: the schedule cannot be used",
                 {{"job", (*job)->name}, {"error", schedule.error()}});
      continue;
    }
    loaded.emplace_back(uid, std::make_pair(std::make_shared<const model::Job>(std::move(**job)),
                                            std::move(*schedule)));
  }
  return loaded;
}

}  // namespace dkron::runner
