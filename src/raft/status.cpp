#include "raft/libraft.h"
#include "raft/node.h"

namespace dkron::raft {

std::string_view to_string(Status::Role role) {
  switch (role) {
    case Status::Role::Unavailable: return "shutdown";
    case Status::Role::Outside: return "outside";
    case Status::Role::Follower: return "follower";
    case Status::Role::Candidate: return "candidate";
    case Status::Role::Leader: return "leader";
  }
  return "shutdown";
}

std::uint64_t server_id(std::string_view node_name) {
  const std::uint64_t id = raft_digest(std::string(node_name).c_str(), 0);
  return id == 0 ? 1 : id;
}

}  // namespace dkron::raft
