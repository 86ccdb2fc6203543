#include "gossip/recent_intents.h"

namespace dkron::gossip {

bool RecentIntents::keep(const std::string& name, const Intent& intent) {
  if (name.size() > kMaxNameBytes) return false;
  const auto known = intents_.find(name);
  if (known != intents_.end()) {
    if (intent.time <= known->second.time) return false;
    known->second = intent;
    return true;
  }
  if (intents_.size() >= kMaxIntents) return false;
  intents_.emplace(name, intent);
  return true;
}

std::optional<RecentIntents::Intent> RecentIntents::take(const std::string& name) {
  const auto taken = intents_.extract(name);
  if (taken.empty()) return std::nullopt;
  return taken.mapped();
}

void RecentIntents::expire(Duration before) {
  std::erase_if(intents_, [&](const auto& entry) { return entry.second.heard < before; });
}

}  // namespace dkron::gossip
