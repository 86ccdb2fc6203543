#include "gossip/mailbox.h"

namespace dkron::gossip {

void Mailbox::post(Task task) {
  if (is_closed_) return;
  tasks_.push_back(std::move(task));
  if (!timer_.is_pending()) timer_ = timers_.after(Duration{0}, [this] { deliver(); });
}

void Mailbox::deliver() {
  // Only what is there now: a handler that always causes another call must not hold up time.
  for (std::size_t left = tasks_.size(); left > 0 && !is_closed_; --left) {
    const Task task = std::move(tasks_.front());
    tasks_.pop_front();
    task();
  }
}

void Mailbox::close() {
  is_closed_ = true;
  tasks_.clear();
  timer_.cancel();
}

}  // namespace dkron::gossip
