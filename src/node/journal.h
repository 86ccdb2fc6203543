// Journal: what a node durably knows about the runs it executes.
//
// An append-only file of records (proto/journal.proto), each framed as
//
//   length u32 LE | XXH3 u64 LE | record
//
// A torn tail, as a crash leaves it, is cut off when the file is read; a damaged record with an
// intact one behind it is Corrupt. The Journal owns the thread `journal`, which writes what is
// queued with one write and, when someone asked for it, one fdatasync: a thousand starts of one
// instant share one. append() may be called from the owner's thread only; `written` runs through
// `post`, in the order of the calls.
//
// What cannot be written (a full disk) is not given up: the journal stalls. Everything waits in
// memory, in order, and is tried again every kRetryPause. How much that is the owner bounds: a run
// that waits for its record is not started, so only the records of runs that were under way before
// come on top. A rewrite that fails changes nothing; the appends go on behind the old content.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/error.h"
#include "base/executor.h"
#include "base/file.h"
#include "base/time.h"
#include "journal.pb.h"

namespace dkron::node {

class Journal {
 public:
  static constexpr std::uint64_t kCompactBytes = std::uint64_t{8} * 1024 * 1024;
  static constexpr std::uint32_t kRecordLimitBytes = 1024 * 1024;
  static constexpr Duration kRetryPause = milliseconds(200);

  // An Error only when the journal ends while it is stalled.
  using Written = std::function<void(Result<void>)>;

  // Reads the records of `path` (missing: none) into `*records`, and goes on with a new file that
  // holds `keep(records)` only.
  using Keep = std::function<std::vector<journal::Record>(const std::vector<journal::Record>&)>;
  // Called through `post` when the journal stalls (true) and when it writes again (false).
  using OnStall = std::function<void(bool)>;
  static Result<std::unique_ptr<Journal>> open(const Path& path, Post post, const Keep& keep,
                                               OnStall on_stall = nullptr);
  ~Journal();  // Writes what is queued; stalled, it tries once more.

  // `durable`: `written` is called after an fdatasync. `written` may be null.
  void append(const journal::Record& record, bool durable, Written written);
  // Replaces the file's content; ordered among the appends. `make` runs on the journal's thread, so
  // that the owner does not spend its time on it; it must hold all that it needs.
  void rewrite(std::function<std::vector<journal::Record>()> make);
  // Time for a rewrite: larger than kCompactBytes and twice what the last rewrite left (or, when it
  // failed, what it found).
  bool is_bloated() const;  // Thread-safe.

  std::uint64_t size_bytes() const;  // Thread-safe.

 private:
  struct Impl;
  explicit Journal(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// For tests and the journal itself.
void append_frame(std::string* out, const journal::Record& record);
Result<std::vector<journal::Record>> parse_frames(std::string_view bytes, std::size_t* valid_bytes);

}  // namespace dkron::node
