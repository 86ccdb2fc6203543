// LogLimit: lets one line per key (a peer and its reason) and minute through, so that a peer in
// trouble does not fill the log.
#pragma once

#include <string>
#include <unordered_map>

#include "base/clock.h"

namespace dkron::net {

class LogLimit {
 public:
  static constexpr Duration kPause = minutes(1);
  static constexpr std::size_t kKeys = 1'024;  // More in a minute are not logged.

  bool admits(const std::string& key) {
    const Duration now = system_clock().steady();
    if (keys_.size() >= kKeys) std::erase_if(keys_, [now](auto& e) { return e.second <= now; });
    if (keys_.size() >= kKeys && !keys_.contains(key)) return false;
    Duration& until = keys_.try_emplace(key, Duration::min()).first->second;
    if (until > now) return false;
    until = now + kPause;
    return true;
  }

 private:
  std::unordered_map<std::string, Duration> keys_;  // Until when they are quiet.
};

}  // namespace dkron::net
