// Mailbox: how other threads reach a libuv loop.
//
// post() may be called by any thread; tasks run on the loop's thread in the order of the calls.
// After close() tasks are refused, so that whoever waits for an answer can be told. Shared, since
// answers from outside (Options::dial) may come after the end of the loop.
#pragma once

#include <mutex>
#include <vector>

#include "base/error.h"
#include "base/executor.h"
#include "raft/libraft.h"

namespace dkron::raft {

class Mailbox {
 public:
  // Loop thread. The mailbox keeps the loop alive until close().
  Result<void> open(uv_loop_t& loop);
  // Loop thread. Runs what is still inside.
  void close();

  // False (and the task is destroyed) before open() and after close().
  bool post(Task task);

 private:
  void run();

  std::mutex mutex_;
  bool is_open_ = false;
  std::vector<Task> tasks_;
  uv_async_t async_ = {};
};

}  // namespace dkron::raft
