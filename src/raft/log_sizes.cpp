#include "raft/log_sizes.h"

namespace dkron::raft {

void LogSizes::record(std::uint64_t index, std::size_t bytes) {
  if (sizes_.empty()) first_ = index;
  if (index < first_) return;
  while (first_ + sizes_.size() <= index) {
    const std::uint64_t added = first_ + sizes_.size();
    sizes_.push_back(kSmallEntryBytes);
    if (added > snapshot_index_) bytes_since_snapshot_ += kSmallEntryBytes;
  }
  std::uint32_t& slot = sizes_[index - first_];
  if (index > snapshot_index_) bytes_since_snapshot_ += bytes - slot;
  slot = static_cast<std::uint32_t>(bytes);
  while (sizes_.size() > kTrailingEntries) {
    sizes_.pop_front();
    ++first_;
  }
}

void LogSizes::set_snapshot(std::uint64_t index) {
  snapshot_index_ = index;
  bytes_since_snapshot_ = 0;
  if (sizes_.empty() || index >= first_ + sizes_.size()) {
    sizes_.clear();
    first_ = index + 1;
    return;
  }
  const std::uint64_t known_from = index < first_ ? 0 : index + 1 - first_;
  for (std::uint64_t i = known_from; i < sizes_.size(); ++i) bytes_since_snapshot_ += sizes_[i];
}

unsigned LogSizes::trailing() const {
  std::uint64_t bytes = 0;
  unsigned count = 0;
  for (auto size = sizes_.rbegin(); size != sizes_.rend(); ++size) {
    bytes += *size;
    if (bytes > kTrailingBytes) break;
    ++count;
  }
  return count;
}

}  // namespace dkron::raft
