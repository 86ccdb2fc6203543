// RaftThread: the thread with the libuv loop on which an Engine lives.
//
// Owned by the Node. A thread that hangs on a dead disk can be neither ended nor left behind: it
// would go on with a state machine and a store that their owners destroy. So stop() returns only
// when the thread has ended; when the time for that is over, it ends the process.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "raft/engine.h"
#include "raft/mailbox.h"

namespace dkron::raft {

class RaftThread {
 public:
  static constexpr int kHungExitStatus = 1;

  // Blocks until the engine has started. `lock` is held until the thread has ended.
  static Result<std::unique_ptr<RaftThread>> start(EngineSetup setup, StateMachine& machine,
                                                   UniqueFd lock);

  // Runs `task` on the thread; false when it does not take any more. Any thread.
  template <class F>
  bool post(F task) {
    return mailbox_->post([this, task = std::move(task)]() mutable { task(*engine_); });
  }

  Engine::Shared& shared() { return shared_; }

  // Stops the engine and ends the thread. A thread that has not ended after `limit` ends the
  // process with kHungExitStatus, without destructors. Owner's thread, once.
  void stop(Engine::Stop how, Duration limit);

 private:
  explicit RaftThread(UniqueFd lock) : lock_(std::move(lock)) {}
  void run(EngineSetup setup, StateMachine& machine);
  Result<void> start_engine(EngineSetup setup, StateMachine& machine);

  UniqueFd lock_;
  Engine::Shared shared_;
  const std::shared_ptr<Mailbox> mailbox_ = std::make_shared<Mailbox>();
  uv_loop_t loop_ = {};
  std::unique_ptr<Engine> engine_;  // Raft thread.
  std::thread thread_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Result<void>> started_;
  bool is_ended_ = false;
};

}  // namespace dkron::raft
