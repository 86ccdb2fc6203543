// The shell executor: one process per run, through process::Spawner.
#include <unistd.h>
#include <csignal>

#include "base/assert.h"
#include "base/log.h"
#include "executor/shell_config.h"

namespace dkron::executor {
namespace {

// While a group is given its grace after its leader ended, how often it is asked whether it is
// gone.
constexpr Duration kGroupCheckInterval = milliseconds(20);

std::vector<std::string> make_environment(const std::vector<std::string>& inherited,
                                          const std::vector<std::string>& own,
                                          const RunContext& context) {
  std::vector<std::string> entries;
  entries.reserve(inherited.size() + own.size() + 8);
  entries.insert(entries.end(), inherited.begin(), inherited.end());
  entries.insert(entries.end(), own.begin(), own.end());
  entries.push_back("ENV_JOB_NAME=" + context.job_name);
  entries.push_back("DKRON_JOB_NAME=" + context.job_name);
  entries.push_back("DKRON_EXECUTION_ID=" + context.execution_id);
  entries.push_back("DKRON_EXECUTION_GROUP=" + std::to_string(context.group));
  entries.push_back("DKRON_ATTEMPT=" + std::to_string(context.attempt));
  entries.push_back("DKRON_FENCE=" + std::to_string(context.fence));
  entries.push_back("DKRON_NODE_NAME=" + context.node_name);
  if (!context.scheduled_at.is_zero()) {
    entries.push_back("DKRON_SCHEDULED_AT=" + format_rfc3339(context.scheduled_at));
  }
  return merge_environment(std::move(entries));
}

// One run. Callbacks of the spawner hold it weakly: when its owner drops it, it is over.
class ShellProcess : public std::enable_shared_from_this<ShellProcess> {
 public:
  ShellProcess(net::Loop& loop, std::string command, Events events)
      : loop_(loop), command_(std::move(command)), events_(std::move(events)) {}

  void start(process::Spawner& spawner, ShellPlan plan, process::Command command) {
    plan_ = std::move(plan);
    const std::weak_ptr<ShellProcess> weak = weak_from_this();
    spawner.spawn(std::move(command), {[weak](Result<std::unique_ptr<process::Child>> started) {
                                         if (const auto self = weak.lock()) {
                                           self->on_started(std::move(started));
                                         } else if (started) {
                                           // Nobody has written down that it exists.
                                           (*started)->signal_group(SIGKILL);
                                         }
                                       },
                                       [weak](process::ExitStatus status) {
                                         if (const auto self = weak.lock()) self->on_exited(status);
                                       }});
  }

  // For runs that end before a process was asked for.
  void fail_later(std::string error) {
    loop_.post([weak = weak_from_this(), error = std::move(error)] {
      if (const auto self = weak.lock()) self->finish({false, error, {}});
    });
  }

  void cancel(std::string_view reason) {
    if (ending_ != Ending::None || is_finished_) return;
    ending_ = Ending::Canceled;
    cancel_reason_ = reason;
    if (child_ != nullptr) end_group(plan_.kill_grace.value_or(kCancelGrace));
  }

 private:
  enum class Ending { None, TimedOut, Canceled };

  void on_started(Result<std::unique_ptr<process::Child>> started) {
    if (!started) {
      finish({false, started.error().message, {}});
      return;
    }
    child_ = std::move(*started);
    events_.started(child_->id());
    if (ending_ == Ending::Canceled) {
      end_group(plan_.kill_grace.value_or(kCancelGrace));
    } else if (plan_.timeout > Duration(0)) {
      timer_ = loop_.make_timer();
      timer_->start(plan_.timeout, [this] { on_timeout(); });
    }
  }

  void on_timeout() {
    if (ending_ != Ending::None) return;
    ending_ = Ending::TimedOut;
    end_group(plan_.kill_grace.value_or(Duration(0)));
  }

  void end_group(Duration grace) {
    if (grace == Duration(0)) {
      kill_group();
      return;
    }
    is_terminated_ = true;
    was_signaled_ = child_->signal_group(SIGTERM);
    timer_ = loop_.make_timer();
    timer_->start(grace, [this] { kill_group(); });
  }

  void kill_group() {
    is_killed_ = true;
    was_signaled_ = child_->signal_group(SIGKILL) || was_signaled_;
    if (has_exited_) finish_by_status();
  }

  void on_exited(process::ExitStatus status) {
    has_exited_ = true;
    status_ = status;
    const bool in_grace = ending_ != Ending::None && !is_killed_;
    if (in_grace) {
      await_group();
      return;
    }
    if (plan_.kill_children) child_->signal_group(SIGKILL);
    finish_by_status();
  }

  // TERM often ends a shell before the program that it waits for, and that one has its grace too.
  void await_group() {
    if (!child_->signal_group(0)) {
      finish_by_status();
      return;
    }
    group_timer_ = loop_.make_timer();
    group_timer_->start(kGroupCheckInterval, [this] {
      if (!is_finished_) await_group();
    });
  }

  void finish_by_status() {
    // KILL leaves no exit code: the process had ended by itself when the time limit struck.
    if (ending_ == Ending::TimedOut && !is_terminated_ && status_.signal == 0)
      ending_ = Ending::None;
    RunResult result;
    const bool is_accepted = status_.signal == 0 && plan_.success_codes.contains(status_.code);
    result.success = is_accepted && ending_ == Ending::None;
    if (!result.success) {
      result.error = process::describe(status_);
      if (result.error.empty()) result.error = "exit status 0";
    }
    if (ending_ == Ending::Canceled) result.error = "canceled: " + cancel_reason_;
    if (ending_ == Ending::TimedOut) {
      result.trailer = "shell: Job '" + command_ + "' execution time exceeding defined timeout " +
                       format_duration(plan_.timeout) +
                       (was_signaled_ ? ". Job was killed"
                                      : ". SIGKILL returned error. Job may not have been killed");
    }
    finish(std::move(result));
  }

  void finish(RunResult result) {
    DK_ASSERT(!is_finished_);
    is_finished_ = true;
    timer_.reset();
    group_timer_.reset();
    events_.finished(std::move(result));
  }

  net::Loop& loop_;
  std::string command_;
  Events events_;
  ShellPlan plan_;
  std::unique_ptr<process::Child> child_;
  std::unique_ptr<net::Timer> timer_;  // The time limit, then the grace.
  std::unique_ptr<net::Timer> group_timer_;
  Ending ending_ = Ending::None;
  std::string cancel_reason_;
  process::ExitStatus status_;
  bool has_exited_ = false;
  bool is_terminated_ = false;  // TERM was sent.
  bool was_signaled_ = false;   // TERM or KILL reached somebody.
  bool is_killed_ = false;
  bool is_finished_ = false;
};

class ShellRun final : public Run {
 public:
  explicit ShellRun(std::shared_ptr<ShellProcess> process) : process_(std::move(process)) {}
  void cancel(std::string_view reason) override { process_->cancel(reason); }

 private:
  std::shared_ptr<ShellProcess> process_;
};

class ShellExecutor final : public Executor {
 public:
  ShellExecutor(net::Loop& loop, process::Spawner& spawner, ShellOptions options)
      : loop_(loop),
        spawner_(spawner),
        options_(std::move(options)),
        inherited_(inherited_environment(environ, options_.env_allow)) {}

  std::string_view name() const override { return "shell"; }

  Result<void> validate(const Config& config) const override {
    return validate_shell(config, options_);
  }

  std::unique_ptr<Run> start(RunContext context, Events events) override {
    std::string text(find_value(context.config, "command"));
    auto process = std::make_shared<ShellProcess>(loop_, std::move(text), std::move(events));
    auto plan = plan_shell(context.config, options_);
    if (!plan) {
      process->fail_later(plan.error().message);
      return std::make_unique<ShellRun>(std::move(process));
    }
    if (plan->was_cut) {
      log::warning("shell: an unquoted shell operator ends the command, the rest is dropped",
                   {{"job_name", context.job_name}});
    }
    process::Command command;
    command.argv = std::move(plan->argv);
    command.environment = make_environment(inherited_, plan->env, context);
    command.working_directory = std::move(plan->working_directory);
    command.input = std::move(plan->input);
    command.output_path = std::move(context.spool_path);
    command.discard_stderr = plan->discard_stderr;
    process->start(spawner_, std::move(*plan), std::move(command));
    return std::make_unique<ShellRun>(std::move(process));
  }

 private:
  net::Loop& loop_;
  process::Spawner& spawner_;
  ShellOptions options_;
  std::vector<std::string> inherited_;
};

}  // namespace

std::unique_ptr<Executor> make_shell_executor(net::Loop& loop, process::Spawner& spawner,
                                              ShellOptions options) {
  return std::make_unique<ShellExecutor>(loop, spawner, std::move(options));
}

}  // namespace dkron::executor
