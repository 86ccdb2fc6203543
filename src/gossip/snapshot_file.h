// Serf's snapshot file: which members were alive and how far the clocks were, so that a restarted
// node finds its cluster again.
//
// Append-only text, one line a record: "alive: <name> <ip:port>", "not-alive: <name>", "clock:
// <n>", "event-clock: <n>", "query-clock: <n>", "leave"; "coordinate: ..." of old versions and "#"
// lines mean nothing. Pure functions; who writes and syncs the file is the caller's matter. Source:
// the gossip specification, section 8.12.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/error.h"
#include "gossip/serf_messages.h"

namespace dkron::gossip {

inline constexpr std::size_t kMaxSnapshotBytes = std::size_t{32} << 20;
inline constexpr std::size_t kMaxSnapshotLines = std::size_t{1} << 20;

struct SnapshotRecords {
  std::map<std::string, std::string> alive;  // Name to address, "10.0.0.1:8946".
  LamportTime clock = 0;
  LamportTime event_clock = 0;
  LamportTime query_clock = 0;
  bool has_left = false;       // The node left, and nobody came to life after that.
  std::size_t unreadable = 0;  // Lines that are no record.
};

// What a restarted node makes of an earlier leave: forget all that was before it, or nothing.
enum class AfterLeave { Forget, Rejoin };

// Replays all lines in order; a last one without its end was cut off and does not count. TooLarge
// beyond the limits.
Result<SnapshotRecords> parse_snapshot(std::string_view text, AfterLeave after_leave);

// Lines with their end. Of a name that cannot stand in a line (it has a line break) nothing is
// written: "".
std::string snapshot_alive_line(std::string_view name, std::string_view address);
std::string snapshot_not_alive_line(std::string_view name);
std::string snapshot_clock_line(LamportTime time);
std::string snapshot_event_clock_line(LamportTime time);
std::string snapshot_query_clock_line(LamportTime time);
std::string snapshot_leave_line();

// The whole file anew: what is alive, and the clocks.
std::string compact_snapshot(const SnapshotRecords& records);
// From how many bytes on a file should be written anew.
std::size_t snapshot_compaction_bytes(std::size_t alive_nodes);

}  // namespace dkron::gossip
