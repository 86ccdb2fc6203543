#include "agent/control.h"

#include "model/rows.h"
#include "scheduler/plan.h"
#include "state/commands.h"
#include "state/views.h"

namespace dkron::agent {

using model::set_time;
using state::OnDone;
using state::OnJob;

// ---- Reading and proposing

Result<void> LeaderControl::admit() const {
  if (is_stopping_) return fail(ErrorCode::Unavailable, "the server is shutting down");
  if (!services_.is_leader()) return fail(ErrorCode::Unavailable, "no leader");
  return {};
}

void LeaderControl::read_job(const std::string& name, OnFound callback) {
  auto shared = std::make_shared<OnFound>(std::move(callback));
  const bool accepted = services_.runner.workers.try_post(
      [name, shared, &store = services_.runner.store, post = services_.runner.loop.poster()] {
        auto job = state::find_job(store.reader(), name);
        post([shared, job = std::move(job)]() mutable { (*shared)(std::move(job)); });
      });
  if (!accepted) (*shared)(fail(ErrorCode::Overloaded, "too many requests wait for the store"));
}

struct LeaderControl::Pending {
  raft::Command command;
  OnOutcome callback;      // Null once it is answered.
  Duration give_up_at{0};  // Monotonic.
  bool is_outcome_unknown = false;
  std::unique_ptr<Timer> timer;
};

void LeaderControl::propose(raft::Command command, OnOutcome callback) {
  if (auto admitted = admit(); !admitted) {
    callback(fail(admitted.error()));
    return;
  }
  auto pending = std::make_shared<Pending>();
  do {
    command.request_id = services_.runner.random.next();
  } while (command.request_id == 0);
  pending->command = std::move(command);
  pending->callback = std::move(callback);
  pending->give_up_at = services_.runner.clock.steady() + kAgainFor;
  pending_.push_back(pending);
  if (pending_.size() == 1) arm_give_up();
  propose_pending(pending);
}

void LeaderControl::answer(Pending& pending, Result<raft::Outcome> outcome) {
  pending.command = {};
  if (const auto callback = std::exchange(pending.callback, nullptr)) callback(std::move(outcome));
}

// One timer for all: looked at once a second, so that a command that is answered in a millisecond
// costs a place in a queue and no timer of its own.
void LeaderControl::arm_give_up() {
  give_up_timer_->start(seconds(1), [this] { give_up_overdue(); });
}

void LeaderControl::give_up_overdue() {
  const Duration now = services_.runner.clock.steady();
  while (!pending_.empty() &&
         (!pending_.front()->callback || pending_.front()->give_up_at <= now)) {
    const auto pending = std::move(pending_.front());
    pending_.pop_front();
    answer(*pending, fail(ErrorCode::OutcomeUnknown,
                          "the outcome is not known: the write was not confirmed within 10 s and "
                          "may still happen"));
  }
  if (!pending_.empty()) arm_give_up();
}

void LeaderControl::propose_pending(const std::shared_ptr<Pending>& pending) {
  services_.runner.propose(
      {pending->command},
      [this, pending](const Result<std::vector<raft::Outcome>>& outcomes) {
        if (outcomes) {
          answer(*pending, outcomes->front());
          return;
        }
        // Once an attempt may have been committed, a refusal of the next one says nothing about it.
        pending->is_outcome_unknown |= outcomes.error().code == ErrorCode::OutcomeUnknown;
        if (!pending->is_outcome_unknown) {
          answer(*pending, fail(outcomes.error()));
          return;
        }
        if (!pending->callback) return;
        if (services_.runner.clock.steady() >= pending->give_up_at) {
          answer(*pending, fail(ErrorCode::OutcomeUnknown, outcomes.error().message));
          return;
        }
        pending->timer = services_.runner.loop.make_timer();
        pending->timer->start(kAgainPause, [this, pending] { propose_pending(pending); });
      },
      false);
}

void LeaderControl::propose_void(raft::Command command, OnDone done) {
  propose(std::move(command), [done = std::move(done)](const Result<raft::Outcome>& outcome) {
    if (!outcome) {
      done(fail(outcome.error()));
    } else if (outcome->code != ErrorCode::Ok) {
      done(fail(outcome->code, outcome->message));
    } else {
      done({});
    }
  });
}

// For commands whose answer is the job. An outcome that was remembered for a second asking has
// none, since only short answers are kept: then the job is read.
void LeaderControl::propose_for_job(raft::Command command, const std::string& name, OnJob done) {
  propose(std::move(command),
          [this, name, done = std::move(done)](const Result<raft::Outcome>& outcome) {
            if (!outcome) {
              done(fail(outcome.error()));
              return;
            }
            if (outcome->code != ErrorCode::Ok) {
              done(fail(outcome->code, outcome->message));
              return;
            }
            store::JobAnswer answer;
            if (!outcome->payload.empty() && answer.ParseFromString(outcome->payload)) {
              done(model::to_job(answer.definition(), answer.state()));
              return;
            }
            read_job(name, [name, done](Result<std::optional<model::Job>> job) {
              if (!job) {
                done(fail(job.error()));
              } else if (!*job) {
                done(fail(ErrorCode::NotFound, "job " + name + " not found"));
              } else {
                done(std::move(**job));
              }
            });
          });
}

// ---- Jobs

Result<void> LeaderControl::validate(const model::Job& job) const {
  if (auto valid = model::validate(job, services_.runner.server_zone); !valid) return valid;
  const auto executor = services_.executors.find(job.executor);
  if (executor == services_.executors.end()) return {};
  return executor->second->validate(job.executor_config.value_or(model::StringMap()));
}

std::vector<std::string> LeaderControl::warnings(const model::Job& job) const {
  std::vector<std::string> warnings;
  if (!job.executor.empty() && services_.executors.count(job.executor) == 0) {
    warnings.push_back("no node has the executor " + job.executor + ": its runs will fail");
  }
  std::string processors;
  for (const auto& [name, config] : job.processors)
    processors += (processors.empty() ? "" : ", ") + name;
  if (!processors.empty()) {
    warnings.push_back("the processors " + processors +
                       " are not available in this version and are ignored");
  }
  return warnings;
}

void LeaderControl::set_job(model::Job job, state::SetJobOptions options, OnJob done) {
  if (auto valid = validate(job); !valid) {
    done(fail(valid.error()));
    return;
  }
  state::JobRef known;
  if (!services_.runner.index.find(job.name, &known)) {
    propose_job(job, {}, options, std::move(done));
    return;
  }
  // The phase of an @every job hangs on its last activation.
  const std::string name = job.name;
  read_job(name, [this, job = std::move(job), options,
                  done = std::move(done)](Result<std::optional<model::Job>> stored) mutable {
    if (!stored) {
      done(fail(stored.error()));
      return;
    }
    store::Overdue overdue;
    if (*stored) overdue = find_overdue(**stored, services_.runner.clock.wall());
    if (*stored && (*stored)->schedule == job.schedule) job.last_instant = (*stored)->last_instant;
    propose_job(job, overdue, options, std::move(done));
  });
}

// What an edit must not lose: the state machine records it, should the edit move activations.
store::Overdue LeaderControl::find_overdue(const model::Job& stored, Instant now) const {
  store::Overdue overdue;
  overdue.set_schedule_revision(stored.schedule_revision);
  const auto schedule = model::parse_schedule(stored, services_.runner.server_zone);
  Instant first = stored.next;
  if (!schedule || first.is_zero()) return overdue;
  if (first <= stored.last_instant) {
    first = scheduler::following(*schedule,
                                 scheduler::newest_due(*schedule, first, stored.last_instant));
  }
  if (first.is_zero() || first > now) return overdue;
  const auto range =
      scheduler::missed_range(*schedule, first, scheduler::newest_due(*schedule, first, now),
                              scheduler::MissReason::Superseded);
  set_time(overdue.mutable_first(), range.first);
  set_time(overdue.mutable_last(), range.last);
  overdue.set_count(range.count);
  overdue.set_count_is_minimum(range.count_is_minimum);
  return overdue;
}

void LeaderControl::propose_job(const model::Job& job, const store::Overdue& overdue,
                                const state::SetJobOptions& options, OnJob done) {
  const Instant now = services_.runner.clock.wall();
  store::SetJobCommand command;
  *command.mutable_definition() = model::to_definition(job);
  if (command.definition().ByteSizeLong() > model::kJobLimitBytes) {
    done(fail(ErrorCode::InvalidArgument, "the job is larger than 256 KiB"));
    return;
  }
  if (auto schedule = model::parse_schedule(job, services_.runner.server_zone)) {
    const Instant next = model::next_activation(job, *schedule, now);
    if (!next.is_zero()) set_time(command.mutable_next(), next);
  }
  set_time(command.mutable_now(), now);
  *command.mutable_overdue() = overdue;
  command.set_expected_revision(options.expected_revision);
  command.set_is_restore(options.is_restore);
  propose_for_job(state::make_command(state::Kind::SetJob, command), job.name, std::move(done));
}

void LeaderControl::delete_job(std::string name, OnDone done) {
  store::DeleteJobCommand command;
  command.set_name(std::move(name));
  propose_void(state::make_command(state::Kind::DeleteJob, command), std::move(done));
}

void LeaderControl::toggle_job(std::string name, state::ToggleWish wish, OnJob done) {
  toggle_job(name, wish, kToggleTries, std::move(done));
}

// The activation is computed from the schedule as it was read; the state machine refuses it for
// another.
void LeaderControl::toggle_job(const std::string& name, state::ToggleWish wish, int tries,
                               OnJob done) {
  read_job(name, [this, name, wish, tries,
                  done = std::move(done)](Result<std::optional<model::Job>> job) mutable {
    if (!job || !*job) {
      done(job ? fail(ErrorCode::NotFound, "job " + name + " not found") : fail(job.error()));
      return;
    }
    store::ToggleJobCommand command;
    command.set_name(name);
    command.set_wish(wish == state::ToggleWish::Flip     ? store::ToggleJobCommand::FLIP
                     : wish == state::ToggleWish::Enable ? store::ToggleJobCommand::ENABLE
                                                         : store::ToggleJobCommand::DISABLE);
    const Instant now = services_.runner.clock.wall();
    set_time(command.mutable_now(), now);
    *command.mutable_overdue() = find_overdue(**job, now);
    model::Job enabled = std::move(**job);
    enabled.disabled = false;
    if (auto schedule = model::parse_schedule(enabled, services_.runner.server_zone)) {
      const Instant next = model::next_activation(enabled, *schedule, now);
      if (!next.is_zero()) set_time(command.mutable_next_if_enabled(), next);
    }
    propose_for_job(state::make_command(state::Kind::ToggleJob, command), name,
                    [this, name, wish, tries, done = std::move(done)](Result<model::Job> answer) {
                      const bool overtaken = !answer && answer.error().code == ErrorCode::Conflict;
                      if (overtaken && tries > 1) {
                        toggle_job(name, wish, tries - 1, done);
                      } else {
                        done(std::move(answer));
                      }
                    });
  });
}

void LeaderControl::delete_executions(std::string name, OnDone done) {
  store::DeleteExecutionsCommand command;
  command.set_name(std::move(name));
  propose_void(state::make_command(state::Kind::DeleteExecutions, command), std::move(done));
}

void LeaderControl::set_paused(bool paused, OnDone done) {
  store::SetPauseCommand command;
  command.set_paused(paused);
  propose_void(state::make_command(state::Kind::SetPause, command), std::move(done));
}

// ---- Runs

void LeaderControl::run_job(std::string name, state::RunOptions options, OnRun done) {
  read_job(name, [this, name, options,
                  done = std::move(done)](Result<std::optional<model::Job>> job) mutable {
    if (!job || !*job) {
      done(job ? fail(ErrorCode::NotFound, "job " + name + " not found") : fail(job.error()));
    } else if (options.wait && waiters_.is_full()) {
      done(fail(ErrorCode::Overloaded,
                std::to_string(RunWaiters::kLimit) +
                    " requests wait for the end of a run already; nothing was started"));
    } else {
      run_job(std::move(**job), options, std::move(done));
    }
  });
}

void LeaderControl::run_job(model::Job job, const state::RunOptions& options, OnRun done) {
  store::ManualRunCommand command;
  command.set_name(job.name);
  command.set_group(services_.groups.next());
  for (const std::string& node : services_.runner.nodes.select(job.tags)) command.add_targets(node);
  command.set_respect_concurrency(options.respect_concurrency);
  set_time(command.mutable_now(), services_.runner.clock.wall());
  raft::Command proposal = state::make_command(state::Kind::ManualRun, command);
  state::StartedRun run{command.group(), std::move(job)};
  if (!options.wait) {
    propose_void(std::move(proposal),
                 [run = std::move(run), done = std::move(done)](const Result<void>& started) {
                   if (started) {
                     done(run);
                   } else {
                     done(fail(started.error()));
                   }
                 });
    return;
  }
  const std::int64_t group = run.group;
  waiters_.add(std::move(run), std::move(done));
  propose_void(std::move(proposal), [this, group](const Result<void>& started) {
    if (!started) waiters_.refuse(group, started.error());
  });
}

}  // namespace dkron::agent
