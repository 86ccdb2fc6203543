#include "runner/runner.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "model/rows.h"
#include "runner/report.h"
#include "state/commands.h"

namespace dkron::runner {
namespace {

// The longest pause that done_command() asks for, jitter included.
constexpr Duration kRetryPauseLimit = kRetryCap * 6 / 5;

}  // namespace

using model::get_time;
using model::set_time;

Runner::Runner(Services services, GroupIds& groups)
    : services_(std::move(services)),
      groups_(groups),
      retry_timer_(services_.loop.make_timer()),
      follow_up_timer_(services_.loop.make_timer()) {}

void Runner::start() {
  running_ = true;
}

struct Runner::TakeOver {
  std::uint64_t term = 0;
  state::OpenWork work;
  std::size_t next = 0;  // Of its groups.
  OnTakenOver done;
};

void Runner::take_over(state::OpenWork work, OnTakenOver done) {
  auto take_over = std::make_shared<TakeOver>();
  take_over->term = term_;
  take_over->work = std::move(work);
  take_over->done = std::move(done);
  take_over_page(take_over);
}

namespace {

using Jobs = std::vector<std::shared_ptr<const model::Job>>;

// One for each group; null where the job is gone.
Result<Jobs> read_jobs(const store::Reader& reader, const std::vector<std::uint64_t>& uids) {
  Jobs jobs;
  for (const std::uint64_t uid : uids) {
    auto job = state::find_job(reader, uid);
    if (!job) return fail(job.error());
    jobs.push_back(*job ? std::make_shared<const model::Job>(std::move(**job)) : nullptr);
  }
  return jobs;
}

}  // namespace

void Runner::take_over_page(const std::shared_ptr<TakeOver>& take_over) {
  const auto& groups = take_over->work.groups;
  const std::size_t first = take_over->next;
  if (take_over->term != term_ || first == groups.size()) {
    if (take_over->term == term_)
      for (const store::FollowUp& f : take_over->work.follow_ups) start_children(f);
    take_over->done({});
    return;
  }
  take_over->next = std::min(groups.size(), first + kPageRuns);
  std::vector<std::uint64_t> uids;
  for (std::size_t i = first; i < take_over->next; ++i) uids.push_back(groups[i].uid());
  const bool accepted =
      services_.workers.try_post([this, take_over, first, uids, reader = &services_.store.reader(),
                                  post = services_.loop.poster()] {
        post([this, take_over, first, jobs = read_jobs(*reader, uids)] {
          if (!jobs) {
            take_over->done(fail(jobs.error()));
            return;
          }
          for (std::size_t i = 0; take_over->term == term_ && i < jobs->size(); ++i) {
            if ((*jobs)[i] != nullptr) reopen(take_over->work.groups[first + i], (*jobs)[i]);
          }
          take_over_page(take_over);
        });
      });
  if (!accepted) take_over->done(fail(ErrorCode::Overloaded, "the workers are busy"));
}

void Runner::reopen(const store::OpenGroup& group, const std::shared_ptr<const model::Job>& job) {
  for (const store::Target& target : group.targets()) {
    if (target.phase() == store::Target::OPEN) {
      on_change(state::AttemptOpened{job, group.group(), target.node(), target.attempt(),
                                     target.fence(), get_time(group.scheduled_at())});
    } else if (target.phase() == store::Target::RETRY_PENDING) {
      on_change(state::RetryScheduled{group.uid(), group.group(), target.node(),
                                      target.attempt() + 1, get_time(target.retry_at())});
    }
  }
}

void Runner::stop() {
  running_ = false;
  ++term_;
  retry_timer_->cancel();
  follow_up_timer_->cancel();
  delayed_follow_ups_.clear();
  retries_.clear();
}

void Runner::on_change(const state::AttemptOpened& change) {
  if (running_) services_.nodes.dispatch(change);
}

void Runner::on_change(const state::RetryScheduled& change) {
  if (!running_) return;
  // `due` is of a wall clock that may have been stepped since; no pause is longer than the cap.
  const Duration pause =
      std::clamp<Duration>(change.due - services_.clock.wall(), Duration(0), kRetryPauseLimit);
  retries_.emplace(services_.clock.steady() + pause,
                   Retry{change.uid, change.group, change.node, change.attempt});
  arm_retries();
}

void Runner::arm_retries() {
  if (retries_.empty()) return;
  const Duration delay = retries_.begin()->first - services_.clock.steady();
  retry_timer_->start(std::max(delay, Duration(0)), [this] { propose_due_retries(); });
}

void Runner::propose_due_retries() {
  const Duration now = services_.clock.steady();
  while (!retries_.empty() && retries_.begin()->first <= now) {
    const Retry retry = std::move(retries_.begin()->second);
    retries_.erase(retries_.begin());
    propose_retry(retry);
  }
  arm_retries();
}

void Runner::propose_retry(const Retry& retry) {
  store::RetryCommand command;
  command.set_uid(retry.uid);
  command.set_group(retry.group);
  command.set_node(retry.node);
  command.set_attempt(retry.attempt);
  services_.propose(
      {state::make_command(state::Kind::Retry, command)},
      [this, retry](const Result<std::vector<raft::Outcome>>& outcomes) {
        if (outcomes) {
          if (outcomes->front().code == ErrorCode::Ok) services_.counters.retries.add();
          return;
        }
        if (!running_) return;
        retries_.emplace(services_.clock.steady() + kAgain, retry);
        arm_retries();
      },
      false);
}

void Runner::on_change(const state::FollowUpOpened& change) {
  if (running_) start_children(change.follow_up);
}

void Runner::start_children(const store::FollowUp& follow_up) {
  const bool accepted = services_.workers.try_post(
      [this, follow_up, reader = &services_.store.reader(), post = services_.loop.poster()] {
        std::vector<std::pair<std::string, std::optional<model::StringMap>>> children;
        for (const std::string& name : follow_up.children()) {
          auto job = state::find_job(*reader, name);
          // A child that is gone is struck off the list like one that may not run.
          children.emplace_back(name, job && *job ? (*job)->tags : std::nullopt);
        }
        post([this, follow_up, children = std::move(children)] {
          for (const auto& [name, tags] : children)
            propose_child(follow_up, name, services_.nodes.select(tags));
        });
      });
  if (accepted) return;
  log::warning("runner: too busy to start children now", {{"job", follow_up.job_name()}});
  start_children_later(follow_up);
}

void Runner::start_children_later(const store::FollowUp& follow_up) {
  delayed_follow_ups_.push_back(follow_up);
  if (delayed_follow_ups_.size() > 1) return;
  follow_up_timer_->start(kAgain, [this] {
    for (const store::FollowUp& delayed : std::exchange(delayed_follow_ups_, {})) {
      start_children(delayed);
    }
  });
}

void Runner::propose_child(const store::FollowUp& follow_up, const std::string& child,
                           const std::vector<std::string>& targets) {
  if (!running_) return;
  store::DependentRunCommand command;
  command.set_name(child);
  command.set_parent_uid(follow_up.uid());
  command.set_parent_group(follow_up.group());
  command.set_group(groups_.next());
  for (const std::string& target : targets) command.add_targets(target);
  set_time(command.mutable_now(), services_.clock.wall());
  services_.propose(
      {state::make_command(state::Kind::DependentRun, command)},
      [this, follow_up, child](const Result<std::vector<raft::Outcome>>& outcomes) {
        if (outcomes || !running_) return;
        store::FollowUp rest = follow_up;
        rest.clear_children();
        rest.add_children(child);
        start_children_later(rest);
      },
      false);
}

}  // namespace dkron::runner
