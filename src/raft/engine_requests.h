// The requests of Engine that libraft holds until it calls back.
#pragma once

#include <vector>

#include "raft/engine.h"

namespace dkron::raft {

struct Engine::EntryRequest {
  struct raft_apply request = {};
  Engine* engine = nullptr;
  std::vector<Slice> slices;
  std::optional<std::vector<Outcome>> outcomes;  // Set by apply().
};

struct Engine::BarrierRequest {
  struct raft_barrier request = {};
  Engine* engine = nullptr;
  std::vector<std::function<void(Result<void>)>> callbacks;
};

}  // namespace dkron::raft
