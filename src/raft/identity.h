// The identity of a data directory, kept in <data-dir>/identity.json beside raft/:
//
//   {"node_name": "server1", "cluster_id": "1234567890123456789", "recovery_epoch": "0"}
//
// The two numbers are texts because they exceed 2^53. The file is written once, before the first
// raft file, and never without a check of the name: a server under another name is another voter.
#pragma once

#include "base/file.h"
#include "raft/node.h"

namespace dkron::raft {

// Reads and checks it. When it is missing: `may_create` writes a new one (`cluster_id` 0: a random
// one), otherwise Corrupt, because the log beside it has lost its identity. Conflict when the
// stored node name is another one.
Result<Identity> open_identity(const Path& raft_directory, const std::string& node_name,
                               std::uint64_t cluster_id, bool may_create);

}  // namespace dkron::raft
