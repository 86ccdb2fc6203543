#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <mutex>
#include <thread>

#include "process/launch.h"

namespace dkron::process {
namespace {

class Group {
 public:
  explicit Group(pid_t leader) : leader_(leader) {}
  bool signal(int number) {
    if (!is_gone_ && ::kill(-leader_, number) != 0 && errno == ESRCH) is_gone_ = true;
    return !is_gone_;
  }

 private:
  pid_t leader_;
  bool is_gone_ = false;
};

// Collects the zombie. False when it is no child of ours.
bool collect(int pidfd, ExitStatus* status) {
  siginfo_t info{};
  int result = 0;
  do {
    result = ::waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED | WNOHANG);
  } while (result != 0 && errno == EINTR);
  if (result != 0 || info.si_pid == 0) return false;
  *status = to_exit_status(info);
  return true;
}

class WatchedChild final : public Child {
 public:
  WatchedChild(net::Loop& loop, ProcessId id, UniqueFd pidfd,
               std::function<void(ExitStatus)> exited)
      : id_(id), group_(id.pid), pidfd_(std::move(pidfd)), exited_(std::move(exited)) {
    watch_ = loop.watch_readable(pidfd_.get(), [this] { on_end(); });
  }
  ~WatchedChild() override { watch_.reset(); }  // Before the descriptor is closed.
  ProcessId id() const override { return id_; }
  bool signal_group(int signal) override { return group_.signal(signal); }

 private:
  void on_end() {
    watch_.reset();
    ExitStatus status;
    // Unknown (an adopted process is no child of ours) must not look like success.
    if (!collect(pidfd_.get(), &status)) status.code = -1;
    pidfd_.reset();
    // The callback may destroy this object.
    const auto exited = std::move(exited_);
    exited(status);
  }

  ProcessId id_;
  Group group_;
  UniqueFd pidfd_;
  std::function<void(ExitStatus)> exited_;
  std::unique_ptr<net::Loop::Watch> watch_;
};

struct Request {
  Command command;
  Callbacks callbacks;
};

}  // namespace

struct Spawner::Impl {
  explicit Impl(net::Loop& the_loop) : loop(the_loop), post(the_loop.poster()) {}

  net::Loop& loop;
  Post post;
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<Request> queue;
  bool stopping = false;
  std::atomic<std::size_t> queued{0};
  // Of the loop's thread: tells a `started` that arrives after the Spawner's end.
  std::shared_ptr<bool> is_alive = std::make_shared<bool>(true);
  std::thread thread;

  void run();
  void deliver(Result<Started> result, Callbacks callbacks);
};

void Spawner::Impl::run() {
  ::pthread_setname_np(::pthread_self(), "spawn");
  Launcher launcher;
  for (;;) {
    Request request;
    {
      std::unique_lock lock(mutex);
      wake.wait(lock, [this] { return stopping || !queue.empty(); });
      if (stopping) return;
      request = std::move(queue.front());
      queue.pop_front();
    }
    Result<Started> result = launcher.launch(request.command);
    --queued;
    deliver(std::move(result), std::move(request.callbacks));
  }
}

void Spawner::Impl::deliver(Result<Started> result, Callbacks callbacks) {
  // Shared, because a Task is copyable; it runs once.
  auto shared = std::make_shared<std::pair<Result<Started>, Callbacks>>(std::move(result),
                                                                        std::move(callbacks));
  post([shared, the_loop = &loop, alive = is_alive] {
    auto& [started, calls] = *shared;
    if (!*alive) return;
    if (!started) {
      calls.started(fail(started.error()));
      return;
    }
    calls.started(std::make_unique<WatchedChild>(*the_loop, started->id(), started->take_pidfd(),
                                                 std::move(calls.exited)));
  });
}

Spawner::Spawner(net::Loop& loop) : impl_(std::make_unique<Impl>(loop)) {
  // Ignored, as some parents leave it, the kernel would throw exit statuses away.
  struct sigaction action {};
  if (::sigaction(SIGCHLD, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) {
    ::signal(SIGCHLD, SIG_DFL);
  }
  Impl* impl = impl_.get();
  impl->thread = std::thread([impl] { impl->run(); });
}

Spawner::~Spawner() {
  {
    std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->wake.notify_one();
  impl_->thread.join();
  *impl_->is_alive = false;
}

void Spawner::spawn(Command command, Callbacks callbacks) {
  ++impl_->queued;
  {
    std::lock_guard lock(impl_->mutex);
    impl_->queue.push_back({std::move(command), std::move(callbacks)});
  }
  impl_->wake.notify_one();
}

std::size_t Spawner::queued() const {
  return impl_->queued;
}

std::unique_ptr<Child> adopt(net::Loop& loop, ProcessId id, std::function<void()> ended) {
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, id.pid, 0)));
  // Compared after the open: from here on the descriptor stands for what was compared.
  const bool is_same = pidfd.is_open() && id.start_time_ticks != 0 &&
                       read_start_time_ticks(id.pid) == id.start_time_ticks;
  if (!is_same) return nullptr;
  return std::make_unique<WatchedChild>(loop, id, std::move(pidfd),
                                        [ended = std::move(ended)](ExitStatus) { ended(); });
}

}  // namespace dkron::process
