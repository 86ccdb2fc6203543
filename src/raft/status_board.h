// StatusBoard: the Status that the raft thread publishes and any thread may copy.
#pragma once

#include <mutex>
#include <utility>

#include "raft/node.h"

namespace dkron::raft {

class StatusBoard {
 public:
  Status get() const {
    const std::lock_guard lock(mutex_);
    return status_;
  }
  void set(Status status) {
    const std::lock_guard lock(mutex_);
    status_ = std::move(status);
  }

 private:
  mutable std::mutex mutex_;
  Status status_;
};

}  // namespace dkron::raft
