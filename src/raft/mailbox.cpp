#include "raft/mailbox.h"

#include <utility>

namespace dkron::raft {

Result<void> Mailbox::open(uv_loop_t& loop) {
  const int status = uv_async_init(&loop, &async_, [](uv_async_t* async) noexcept {
    static_cast<Mailbox*>(async->data)->run();
  });
  if (status != 0) return fail(ErrorCode::Io, std::string("raft loop: ") + uv_strerror(status));
  async_.data = this;
  const std::lock_guard lock(mutex_);
  is_open_ = true;
  return {};
}

void Mailbox::close() {
  {
    const std::lock_guard lock(mutex_);
    is_open_ = false;
  }
  run();
  uv_close(reinterpret_cast<uv_handle_t*>(&async_), nullptr);
}

bool Mailbox::post(Task task) {
  const std::lock_guard lock(mutex_);
  if (!is_open_) return false;
  tasks_.push_back(std::move(task));
  uv_async_send(&async_);  // Inside the lock: the handle may close right after it.
  return true;
}

void Mailbox::run() {
  std::vector<Task> tasks;
  {
    const std::lock_guard lock(mutex_);
    tasks = std::exchange(tasks_, {});
  }
  for (Task& task : tasks) task();
}

}  // namespace dkron::raft
