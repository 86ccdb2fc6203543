// MemberMemory: remembers on disk who the members were, so that a restarted node finds them again.
//
// Keeps Serf's snapshot file (gossip/snapshot.h), which blocks, on a worker: news is gathered and
// written at most twice a second, one batch at a time. Losing the last moment is harmless. Main
// loop's thread.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/task_loop.h"
#include "gossip/snapshot.h"

namespace dkron::agent {

class MemberMemory {
 public:
  // Reads what an earlier life left. An unreadable file is an empty one, with a warning: it is only
  // a memory.
  static std::unique_ptr<MemberMemory> open(TaskLoop& loop, Workers& workers, const Path& path);

  // Who was alive, but for `own_name`, in no particular order.
  std::vector<gossip::Endpoint> remembered(const std::string& own_name) const;
  gossip::Serf::Clocks clocks() const;

  void record(const gossip::MemberEvent& event, const gossip::Serf::Clocks& clocks);

 private:
  MemberMemory(TaskLoop& loop, Workers& workers, std::unique_ptr<gossip::Snapshot> snapshot);
  void write_later();
  void write();

  TaskLoop& loop_;
  Workers& workers_;
  std::shared_ptr<gossip::Snapshot> snapshot_;  // A worker's while `is_writing_`. Null: no memory.
  gossip::SnapshotRecords restored_;
  std::vector<std::function<void(gossip::Snapshot&)>> news_;
  bool is_writing_ = false;
  std::unique_ptr<Timer> timer_;
  std::shared_ptr<char> alive_token_ = std::make_shared<char>();  // Guards late answers.
};

}  // namespace dkron::agent
