// The key layout of the store. Numbers are big-endian, so that keys sort as their numbers.
//
//   m/applied                          applied index (8)
//   m/cluster                          ClusterState
//   j/<name>                           JobDefinition
//   u/<uid 8>                          name of the job with that uid
//   s/<uid 8>                          JobState
//   g/<uid 8><group 8>                 OpenGroup: a run under way
//   x/<uid 8><group 8><node>\0<attempt 4>   Execution;   o/<same>  its output
//   l/<uid 8><~instant 12>             LedgerRow, newest first; the instant is that of the newest
//   one f/<uid 8><group 8>                 FollowUp: children still to start d/<YYYY-MM-DD>
//   DailyStatistics r/<request id 8>                   RememberedOutcome;  q/<sequence 8>  request
//   id, oldest first
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.h"

namespace dkron::store::keys {

inline constexpr std::string_view kApplied = "m/applied";
inline constexpr std::string_view kCluster = "m/cluster";

void append_u64(std::string* key, std::uint64_t value);
std::uint64_t read_u64(std::string_view bytes);  // The first 8 bytes; 0 when there are fewer.

std::string definition(std::string_view name);
std::string name_of(std::uint64_t uid);
std::string state(std::uint64_t uid);
std::string group(std::uint64_t uid, std::int64_t group);
std::string groups_of(std::uint64_t uid);
std::string executions_of(std::uint64_t uid);
std::string executions_from(std::uint64_t uid, std::int64_t group);
std::string execution(std::uint64_t uid, std::int64_t group, std::string_view node,
                      std::uint32_t attempt);
std::string outputs_of(std::uint64_t uid);
std::string outputs_from(std::uint64_t uid, std::int64_t group);
std::string output(std::uint64_t uid, std::int64_t group, std::string_view node,
                   std::uint32_t attempt);
std::string ledger_of(std::uint64_t uid);
std::string ledger(std::uint64_t uid, Instant newest);
Instant ledger_instant(std::string_view key);
std::string follow_up(std::uint64_t uid, std::int64_t group);
std::string statistics(Instant day);
std::string statistics(std::string_view date);
std::string request(std::uint64_t request_id);
std::string request_sequence(std::uint64_t sequence);

// The smallest key behind all keys with this prefix.
std::string end_of(std::string_view prefix);

}  // namespace dkron::store::keys
