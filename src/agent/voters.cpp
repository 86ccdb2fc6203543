#include "agent/voters.h"

namespace dkron::agent {

Voters count_voters(const raft::Status& status, const PeerTable& peers, std::string_view own_name,
                    std::string_view without) {
  Voters voters;
  for (const raft::Server& server : status.configuration) {
    if (!server.is_voter || server.node_name == without) continue;
    ++voters.total;
    if (server.node_name == own_name || peers.is_alive(server.node_name)) {
      ++voters.alive;
    } else {
      voters.missing.push_back(server);
    }
  }
  return voters;
}

}  // namespace dkron::agent
