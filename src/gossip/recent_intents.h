// RecentIntents: join and leave intents of nodes that are not members yet.
//
// An intent may arrive before the memberlist tells of its node; it is kept a while and applied when
// the node appears. One per name, the one of the latest Lamport time. At most kMaxIntents, of names
// of at most kMaxNameBytes; more are not kept. Part of Serf (specification 8.4).
#pragma once

#include <optional>
#include <string>
#include <unordered_map>

#include "base/time.h"
#include "gossip/serf_messages.h"

namespace dkron::gossip {

class RecentIntents {
 public:
  static constexpr std::size_t kMaxIntents = 16'384;
  static constexpr std::size_t kMaxNameBytes = 512;

  struct Intent {
    bool is_leave = false;
    LamportTime time = 0;
    Duration heard{};
  };

  // Whether it was news: nothing as late was kept for that name.
  bool keep(const std::string& name, const Intent& intent);
  std::optional<Intent> take(const std::string& name);
  // Forgets what was heard before that.
  void expire(Duration before);
  std::size_t size() const { return intents_.size(); }

 private:
  std::unordered_map<std::string, Intent> intents_;
};

}  // namespace dkron::gossip
