// Voters: how many servers of the raft group vote, and how many of them are alive, as members tell.
//
// What every decision about a majority is based on. A pure function; a value.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/peer_table.h"
#include "raft/node.h"

namespace dkron::agent {

struct Voters {
  std::size_t total = 0;
  std::size_t alive = 0;
  std::vector<raft::Server> missing;  // The others.

  bool have_majority() const { return alive > total / 2; }
};

// All but `without`; this server counts as alive.
Voters count_voters(const raft::Status& status, const PeerTable& peers, std::string_view own_name,
                    std::string_view without = {});

}  // namespace dkron::agent
