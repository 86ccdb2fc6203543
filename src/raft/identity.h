// The identity of a data directory, kept in <data-dir>/identity.json beside raft/:
//
//   {"node_name": "server1", "cluster_id": "1234567890123456789", "recovery_epoch": "0",
//    "is_founding": true}
//
// The two numbers are texts because they exceed 2^53. The file is written before the first raft
// file, and never used without a check of the name: a server under another name is another voter.
//
// `is_founding` stands in it from the decision to found a group until libraft's first log is on
// disk; libraft does not run before it is gone. So a start that finds it may throw away what there
// is of that log and found the group again, and a start that does not find it never founds: an
// empty log then means a server that waits to be added by the leader of its cluster.
#pragma once

#include <optional>

#include "base/file.h"
#include "raft/node.h"

namespace dkron::raft {

struct StoredIdentity {
  Identity identity;
  bool is_founding = false;
};

// Nullopt: there is no such file. Conflict when the stored node name is another one.
Result<std::optional<StoredIdentity>> read_identity(const Path& raft_directory,
                                                    const std::string& node_name);
// Durable when it returns.
Result<void> write_identity(const Path& raft_directory, const StoredIdentity& stored);

// `cluster_id` 0: a random one.
Identity new_identity(const std::string& node_name, std::uint64_t cluster_id);

}  // namespace dkron::raft
