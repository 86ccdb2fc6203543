// Store: the ordered key-value files on disk (RocksDB), without policy.
//
// One column family and no write-ahead log: the raft log is the log, and each batch carries the
// applied index, so after a kill what remains is a prefix of the applied entries
// (docs/architecture.md). One writer thread (raft); get(), scan() and readers on any thread. Keys
// and values are bytes; the key layout is in keys.h.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/file.h"

namespace dkron::store {

// Reads of one moment: the live database, or the batch under construction over it.
class Reader {
 public:
  virtual ~Reader() = default;
  // Nullopt: no such key. An Error is a disk or checksum failure.
  virtual Result<std::optional<std::string>> get(std::string_view key) const = 0;
  // Calls back for each key in [from, to) in ascending order until it returns false. The views live
  // as long as the call.
  using Visitor = std::function<bool(std::string_view key, std::string_view value)>;
  virtual Result<void> scan(std::string_view from, std::string_view to,
                            const Visitor& visit) const = 0;
};

// Changes that become visible and durable together; reads through it see its own writes.
class Batch : public Reader {
 public:
  virtual void put(std::string_view key, std::string_view value) = 0;
  virtual void erase(std::string_view key) = 0;
  virtual void erase_range(std::string_view from, std::string_view to) = 0;
  // A refused command is taken back to the last save point.
  virtual void set_save_point() = 0;
  virtual void roll_back_to_save_point() = 0;
};

struct Checkpoint {
  struct File {
    std::string name;
    std::uint64_t size_bytes = 0;
  };
  std::string name;
  std::vector<File> files;
};

class Store {
 public:
  // <directory>/db holds the database, <directory>/checkpoints the checkpoints, and
  // <directory>/incoming those that are being fetched.
  static Result<std::unique_ptr<Store>> open(const Path& directory);
  virtual ~Store() = default;

  virtual const Reader& reader() const = 0;
  // A view of this moment that later writes do not change; for long scans.
  virtual std::unique_ptr<Reader> snapshot() const = 0;

  // The one batch; reset by commit(). Raft thread only.
  virtual Batch& batch() = 0;
  // On a full disk it waits until there is space again, since what the log has committed must be
  // applied; is_out_of_space() says so meanwhile.
  virtual Result<void> commit() = 0;
  virtual void discard() = 0;

  // Thread-safe.
  virtual bool is_out_of_space() const { return false; }
  // Ends a commit() that waits for space, with Unavailable; for going down. Thread-safe.
  virtual void stop_waiting() {}

  // Makes everything committed durable (fsync).
  virtual Result<void> flush() = 0;
  // Flushes and hard-links the present files as a checkpoint of that name (replacing one left
  // over).
  virtual Result<Checkpoint> make_checkpoint(const std::string& name) = 0;
  virtual std::vector<std::string> checkpoints() const = 0;
  virtual void remove_checkpoint(const std::string& name) = 0;
  // Verifies the files and sizes of `checkpoint` and puts a copy (hard links) in place of the
  // database. Waits for those who read, snapshots included; who asks meanwhile gets Unavailable.
  // When it is refused, the database stays as it was.
  virtual Result<void> restore_checkpoint(const Checkpoint& checkpoint) = 0;

  // Whether the files of `checkpoint` are there in their sizes.
  virtual bool has_checkpoint(const Checkpoint& checkpoint) const = 0;
  // Where its files are; they may be read by any thread as long as nobody removes it.
  virtual Path checkpoint_path(const std::string& name) const = 0;

  // A checkpoint that is fetched from another server: a directory for its files, which keeps what
  // an earlier attempt has left there, and directories with files that may be the same.
  struct Incoming {
    Path directory;
    std::vector<Path> donors;
  };
  virtual Result<Incoming> begin_incoming(const std::string& name) = 0;
  // The directory is complete and synced: it becomes the checkpoint of that name.
  virtual Result<void> finish_incoming(const std::string& name) = 0;
  // Forgets what was fetched and not finished.
  virtual void discard_incoming() = 0;
  // Files that never change once they are written, so that a hard link is as good as a copy.
  static bool is_immutable(std::string_view file_name) { return file_name.ends_with(".sst"); }

  virtual std::uint64_t memory_bytes() const = 0;
};

}  // namespace dkron::store
