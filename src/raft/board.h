// Board: a value that the raft thread publishes and any thread may copy.
#pragma once

#include <mutex>
#include <utility>

namespace dkron::raft {

template <class T>
class Board {
 public:
  T get() const {
    const std::lock_guard lock(mutex_);
    return value_;
  }
  void set(T value) {
    const std::lock_guard lock(mutex_);
    value_ = std::move(value);
  }

 private:
  mutable std::mutex mutex_;
  T value_;
};

}  // namespace dkron::raft
