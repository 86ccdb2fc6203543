// ConflictVote: when another node claims our name, the others decide who keeps it.
//
// Each is asked where it knows that name to be. Who has the majority of the answers behind its
// address stays; without any answer the newcomer goes. One vote at a time. Part of Serf; lives on
// its thread. Source: the gossip specification 8.9.
//
// Dkron differs: the original gives up its name without an answer even when it was there first, so
// that one misconfigured newcomer ends a cluster of one.
#pragma once

#include <functional>
#include <string>

#include "base/executor.h"
#include "gossip/query.h"

namespace dkron::gossip {

class ConflictVote {
 public:
  static constexpr std::string_view kQuery = "_serf_conflict";

  ConflictVote(std::string name, Endpoint endpoint, AskQuery ask, Task on_lost);

  // `is_newcomer`: we were joining when the other one showed up.
  void begin(bool is_newcomer);

 private:
  void on_response(std::string_view payload);
  void decide();

  std::string name_;
  Endpoint endpoint_;
  AskQuery ask_;
  Task on_lost_;
  bool is_running_ = false;
  bool is_newcomer_ = false;
  std::size_t answers_ = 0;
  std::size_t for_us_ = 0;
};

}  // namespace dkron::gossip
