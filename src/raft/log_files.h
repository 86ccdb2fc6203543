// Files of the raft directory that are ours, and what can be read off libraft's.
//
//   LOCK               held with flock while a process uses the directory
//   acknowledged       last index at the last clean end, as "dkron-acknowledged 1 <index>
//   <checksum>";
//                      removed once a start has seen a log that is long enough, because from then
//                      on a new leader may rightly shorten the uncommitted tail
//   unclean-<time>/    copies of open segments found at start: libraft cuts what it takes for a
//   torn
//                      write, and if that was damage instead, the bytes are needed
//
// All calls block on the disk and belong to opening and closing.
#pragma once

#include <cstdint>

#include "base/file.h"
#include "base/time.h"

namespace dkron::raft {

// No log, no snapshot and no term: nothing was ever written here by libraft.
Result<bool> is_pristine(const Path& directory);

// Removes what a founding that was interrupted has left: the term and a log of one entry. Corrupt,
// and nothing is removed, when there is more, since then the group was at work.
Result<void> clear_unfinished_founding(const Path& directory);

// 0 when there is no such file.
Result<std::uint64_t> read_acknowledged(const Path& directory);
Result<void> write_acknowledged(const Path& directory, std::uint64_t index);
Result<void> remove_acknowledged(const Path& directory);

// Copies open segments that hold data to unclean-<now>/ and keeps the newest kUncleanCopies of such
// directories. Returns whether there were any.
constexpr std::size_t kUncleanCopies = 2;
Result<bool> save_open_segments(const Path& directory, Instant now);

}  // namespace dkron::raft
