#include "raft/raft_thread.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"

namespace dkron::raft {
namespace {

// Signals belong to the main thread; a new thread inherits the mask of its maker.
class BlockedSignals {
 public:
  BlockedSignals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~BlockedSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

 private:
  sigset_t before_ = {};
};

}  // namespace

Result<std::unique_ptr<RaftThread>> RaftThread::start(EngineSetup setup, StateMachine& machine,
                                                      UniqueFd lock) {
  std::unique_ptr<RaftThread> self(new RaftThread(std::move(lock)));
  {
    const BlockedSignals blocked;
    self->thread_ = std::thread([self = self.get(), setup = std::move(setup), &machine]() mutable {
      self->run(std::move(setup), machine);
    });
  }
  Result<void> started;
  {
    std::unique_lock guard(self->mutex_);
    self->changed_.wait(guard, [&] { return self->started_.has_value(); });
    started = *self->started_;
  }
  if (started) return self;
  self->thread_.join();
  return fail(started.error());
}

void RaftThread::run(EngineSetup setup, StateMachine& machine) {
  pthread_setname_np(pthread_self(), "raft");
  const int made = uv_loop_init(&loop_);
  Result<void> started;
  if (made != 0) {
    started = fail(ErrorCode::Io, std::string("raft loop: ") + uv_strerror(made));
  } else {
    started = start_engine(std::move(setup), machine);
  }
  {
    const std::lock_guard guard(mutex_);
    if (started) started_ = started;
  }
  changed_.notify_all();
  if (made == 0) {
    uv_run(&loop_, UV_RUN_DEFAULT);
    const int closed = uv_loop_close(&loop_);
    DK_ASSERT(closed == 0);  // Every handle was closed.
  }
  engine_.reset();
  lock_.reset();
  {
    const std::lock_guard guard(mutex_);
    if (!started) started_ = started;
    is_ended_ = true;
  }
  changed_.notify_all();
}

Result<void> RaftThread::start_engine(EngineSetup setup, StateMachine& machine) {
  if (auto opened = mailbox_->open(loop_); !opened) return opened;
  setup.post = [mailbox = mailbox_](Task task) { return mailbox->post(std::move(task)); };
  engine_ = std::make_unique<Engine>(loop_, std::move(setup), machine, shared_,
                                     [this] { mailbox_->close(); });
  auto started = engine_->start();
  if (!started) engine_->stop(Engine::Stop::Abrupt);
  return started;
}

void RaftThread::stop(Engine::Stop how, Duration limit) {
  post([how](Engine& engine) { engine.stop(how); });
  bool is_ended = false;
  {
    std::unique_lock guard(mutex_);
    is_ended = changed_.wait_for(guard, limit, [this] { return is_ended_; });
  }
  if (!is_ended) {
    log::fatal("raft: the thread hangs and cannot be ended; the process ends without it",
               {{"waited", limit}});
    ::_exit(kHungExitStatus);
  }
  thread_.join();
}

}  // namespace dkron::raft
