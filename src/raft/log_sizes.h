// LogSizes: how many bytes the entries of libraft's in-memory log take, by index.
//
// libraft bounds its log by entries only; snapshots here are also driven by bytes. Remembers the
// newest kTrailingEntries entries; barriers and configurations count as kSmallEntryBytes. Owned by
// Engine, raft thread.
#pragma once

#include <cstdint>
#include <deque>

namespace dkron::raft {

class LogSizes {
 public:
  // The most entries that stay in the log behind a snapshot, and the most bytes.
  static constexpr std::uint64_t kTrailingEntries = 10240;
  static constexpr std::uint64_t kTrailingBytes = 16 * 1024 * 1024;
  static constexpr std::uint32_t kSmallEntryBytes = 64;

  // An entry of the log, in order of index; gaps are small entries, an older index replaces.
  void record(std::uint64_t index, std::size_t bytes);

  // Everything up to `index` is inside a snapshot. Without entries recorded, record() starts there.
  void set_snapshot(std::uint64_t index);

  std::uint64_t bytes_since_snapshot() const { return bytes_since_snapshot_; }

  // How many of the newest entries may stay behind a snapshot taken now.
  unsigned trailing() const;

 private:
  std::uint64_t first_ = 1;  // Index of sizes_.front().
  std::deque<std::uint32_t> sizes_;
  std::uint64_t snapshot_index_ = 0;
  std::uint64_t bytes_since_snapshot_ = 0;
};

}  // namespace dkron::raft
