#include "client.h"

#include "report.h"

namespace dkron::sim {

void Client::act(state::Control& control) {
  const std::uint64_t kind = random_.below(100);
  if (kind < 40) {
    set_job(control, random_.below(jobs_));
  } else if (kind < 58) {
    const auto wish = static_cast<state::ToggleWish>(random_.below(3));
    control.toggle_job(any_name(), wish, [](const Result<model::Job>&) {});
  } else if (kind < 65) {
    control.delete_job(any_name(), [](const Result<void>&) {});
  } else if (kind < 68) {
    control.delete_executions(any_name(), [](const Result<void>&) {});
  } else if (kind < 72) {
    control.set_paused(random_.below(4) == 0, [](const Result<void>&) {});
  } else {
    const state::RunOptions options{random_.below(2) == 0, random_.below(4) == 0};
    control.run_job(any_name(), options, [this](const Result<state::StartedRun>& run) {
      if (run) runs_.push_back({run->group});
    });
  }
}

void Client::set_job(state::Control& control, std::size_t number) {
  model::Job job = any_job(number);
  const std::size_t i = writes_.size();
  writes_.push_back({job.displayname, Told::Nothing});
  control.set_job(std::move(job), {}, [this, i](const Result<model::Job>& answer) {
    writes_[i].told = told_by(answer);
  });
}

Client::Told Client::told_by(const Result<model::Job>& answer) {
  if (answer) return Told::Done;
  return answer.error().code == ErrorCode::OutcomeUnknown ? Told::Unknown : Told::Refused;
}

model::Job Client::any_job(std::size_t number) {
  model::Job job;
  job.name = name_of(number);
  job.displayname = "write-" + std::to_string(writes_.size());
  job.owner = job.displayname;
  job.schedule = any_schedule();
  job.retries = static_cast<std::uint32_t>(random_.below(4));
  job.concurrency = random_.below(2) == 0 ? "forbid" : "allow";
  job.ephemeral = random_.below(20) == 0;
  job.disabled = random_.below(15) == 0;
  if (number > 0 && random_.below(5) == 0) job.parent_job = name_of(random_.below(number));
  if (random_.below(8) == 0) job.timezone = "Europe/Berlin";
  if (random_.below(10) == 0)
    job.keep_executions = 1 + static_cast<std::uint32_t>(random_.below(20));
  const Instant now = clock_.wall();
  if (random_.below(8) == 0)
    job.starts_at = now + any_duration(random_, seconds(0), minutes(2)) - minutes(1);
  if (random_.below(8) == 0)
    job.expires_at = now + minutes(1) + any_duration(random_, seconds(0), minutes(5));
  const std::uint64_t on = random_.below(10);
  if (on < 2) job.tags = model::StringMap{{"on", on == 0 ? "all" : "none"}};
  if (random_.below(3) != 0) {
    const auto policy = static_cast<model::MissedPolicy>(random_.below(3));
    job.missed_runs = model::MissedRuns{policy, any_duration(random_, seconds(0), minutes(5))};
  }
  return job;
}

std::string Client::any_schedule() {
  static const char* const kFields[] = {"* * * * * *",     "*/2 * * * * *", "*/5 * * * * *",
                                        "7,8,9 * * * * *", "0 * * * * *",   "30 */2 * * * *",
                                        "0 0 3 * * *",     "@hourly"};
  switch (random_.below(12)) {
    case 0: return "@manually";
    case 1:
      return "@at " +
             format_rfc3339(
                 (clock_.wall() + any_duration(random_, seconds(1), minutes(2))).floor_seconds());
    case 2: {
      const Instant at =
          clock_.wall() + any_duration(random_, seconds(0), minutes(2)) - seconds(20);
      return "@after " + format_rfc3339(at.floor_seconds()) + " <PT1M>";
    }
    case 3:
    case 4:
    case 5: return "@every " + std::to_string(1 + random_.below(20)) + "s";
    default: return kFields[random_.below(std::size(kFields))];
  }
}

void Client::check_answers(const Witness& witness) const {
  for (const Write& write : writes_) {
    const bool is_there = witness.has_written(write.mark);
    if (write.told == Told::Done && !is_there)
      fail_simulation(write.mark + " was confirmed and is not in the log");
    if (write.told == Told::Refused && is_there)
      fail_simulation(write.mark + " was refused and yet took effect");
  }
  for (const Run& run : runs_) {
    if (!witness.has_opened(run.group))
      fail_simulation("a manual run was confirmed and never opened");
  }
}

}  // namespace dkron::sim
