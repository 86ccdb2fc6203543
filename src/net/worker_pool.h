// WorkerPool: a few threads for work that may block (store queries, curl, DNS, files).
//
// Tasks run in the order of their posting, on any of the threads. At most kQueueLimit wait; beyond
// it try_post() says no and the caller sheds (503). The destructor finishes running tasks and drops
// waiting ones. Thread-safe.
#pragma once

#include <cstddef>
#include <memory>

#include "base/task_loop.h"

namespace dkron::net {

class WorkerPool final : public Workers {
 public:
  static constexpr std::size_t kQueueLimit = 65'536;

  explicit WorkerPool(std::size_t threads);
  ~WorkerPool() override;
  bool try_post(Task task) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dkron::net
