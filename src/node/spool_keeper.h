// SpoolKeeper: keeps the output files of runs from filling the disk, and removes them.
//
// A run's process writes to its file itself, without limit. While runs are under way, the thread
// `spool` looks at every file of the directory once per kCheckInterval; of a file that takes more
// than kSpoolLimitBytes of disk it punches out the head and leaves the last kSpoolKeptBytes, more
// than is ever stored of an output. Length and end of the file stay as they are, so the writer
// notices nothing and the number of bytes written is still known. So a run takes at most the limit
// and what it writes in one interval. Where holes cannot be punched, the file is emptied instead,
// with one warning.
//
// remove() takes a file away once no process has it open for writing any more: a background process
// that a job left behind would go on filling a file that nobody sees. Until then it is kept short.
// Methods are thread-safe.
#pragma once

#include <cstdint>
#include <memory>

#include "base/file.h"
#include "base/time.h"

namespace dkron::node {

class SpoolKeeper {
 public:
  static constexpr std::uint64_t kSpoolLimitBytes = std::uint64_t{8} * 1024 * 1024;
  static constexpr std::uint64_t kSpoolKeptBytes = std::uint64_t{1024} * 1024;
  static constexpr Duration kCheckInterval = milliseconds(100);
  // Files that wait for their writers to end; beyond it they are removed at once, with a warning.
  static constexpr std::size_t kHeldLimit = 10'000;

  explicit SpoolKeeper(Path directory);
  ~SpoolKeeper();  // Removes what can be removed; the rest is found again at the next start.

  void run_began();
  void run_ended();
  void remove(Path file);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The check of one file; true when its head was taken away.
bool shorten_spool(const Path& file);
// Whether some process has the file open for writing.
bool has_writer(const Path& file);

}  // namespace dkron::node
