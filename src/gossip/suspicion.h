// Suspicion: how long a suspect node has to answer before it is declared dead (Lifeguard).
//
// The time begins long and shrinks towards the minimum as other members confirm the suspicion. A
// value without a timer: the owner arms one with remaining(). Source: the gossip specification 6.7.
#pragma once

#include <set>
#include <string>

#include "base/time.h"
#include "gossip/profile.h"

namespace dkron::gossip {

class Suspicion {
 public:
  // `accuser` counts as heard; `nodes` is the size of the table.
  Suspicion(const Profile& profile, std::size_t nodes, std::string accuser, Duration now);

  // Whether this is news: another accuser, and fewer than expected so far.
  bool confirm(const std::string& accuser);
  // Until the node is dead; zero or less when it already is.
  Duration remaining(Duration now) const;

 private:
  std::size_t expected_;
  std::size_t confirmations_ = 0;
  Duration min_;
  Duration max_;
  Duration began_;
  std::set<std::string> accusers_;
};

}  // namespace dkron::gossip
