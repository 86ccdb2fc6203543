// Seldom: lets one log line about the same thing through per minute. One thread.
#pragma once

#include <string>
#include <unordered_map>

#include "base/clock.h"

namespace dkron::raft {

class Seldom {
 public:
  static constexpr Duration kPause = minutes(1);
  static constexpr std::size_t kLimit = 256;  // Things remembered; then all are forgotten.

  bool may_log(const std::string& about, Duration now = system_clock().steady()) {
    const auto found = logged_.find(about);
    if (found != logged_.end() && now - found->second < kPause) return false;
    if (logged_.size() >= kLimit) logged_.clear();
    logged_[about] = now;
    return true;
  }

 private:
  std::unordered_map<std::string, Duration> logged_;
};

}  // namespace dkron::raft
