// Snapshot: the file that lets a restarted node find its cluster again without replaying the past.
//
// Owns the file (snapshot_file.h). What is recorded waits in memory until flush(), which the owner
// calls every kFlushInterval; only leave() and a compaction sync. A crash loses at most what was
// recorded since. A failed write is made good by writing the whole file anew at the next flush.
// Blocks; lives on one thread that may. Source: the gossip specification 8.12.
#pragma once

#include <memory>
#include <string>

#include "base/file.h"
#include "gossip/serf.h"
#include "gossip/snapshot_file.h"

namespace dkron::gossip {

class Snapshot {
 public:
  static constexpr Duration kFlushInterval = milliseconds(500);
  // More is flushed at once.
  static constexpr std::size_t kMaxPendingBytes = 1 << 20;

  // Reads what an earlier life left; a missing file is an empty one. TooLarge, Io.
  static Result<std::unique_ptr<Snapshot>> open(Path path, AfterLeave after_leave);

  // What was read: members to join again, and clocks for Serf::restore().
  const SnapshotRecords& restored() const { return restored_; }

  void record(const MemberEvent& event);
  void record(const Serf::Clocks& clocks);
  Result<> flush();
  // Says that this node left on purpose, and syncs. Nothing is recorded after it; after an
  // error it may be tried again.
  Result<> leave();

 private:
  Snapshot(Path path, AfterLeave after_leave) : path_(std::move(path)), after_leave_(after_leave) {}
  Result<> read();
  void append(std::string line);
  void record_clock(LamportTime& known, LamportTime time, std::string (*line)(LamportTime));
  Result<> write_pending();
  Result<> compact();

  Path path_;
  AfterLeave after_leave_;
  SnapshotRecords restored_;
  SnapshotRecords records_;
  UniqueFd file_;
  std::size_t file_bytes_ = 0;
  std::string pending_;
  bool is_broken_ = false;  // The file's end is not that of a line, or lines are missing.
  bool has_left_ = false;
};

}  // namespace dkron::gossip
