#include "store/store.h"

#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/utilities/write_batch_with_index.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>

#include "base/log.h"
#include "base/time.h"

namespace dkron::store {
namespace {

constexpr std::size_t kWriteBufferBytes = std::size_t{8} * 1024 * 1024;
constexpr int kWriteBuffers = 2;
// Holds what is read again: the state rows of tens of thousands of jobs. Behind it are the system's
// own copies of the files. More would only keep blocks of files that are gone by now.
constexpr std::size_t kBlockCacheBytes = std::size_t{16} * 1024 * 1024;
constexpr Duration kSpaceRecheck = milliseconds(200);
// Readers are done within milliseconds, snapshots within seconds.
constexpr Duration kCloseDeadline = seconds(30);

rocksdb::Slice slice(std::string_view bytes) {
  return {bytes.data(), bytes.size()};
}
std::string_view view(const rocksdb::Slice& bytes) {
  return {bytes.data(), bytes.size()};
}

tl::unexpected<Error> failure(const rocksdb::Status& status) {
  const auto code = status.IsCorruption() ? ErrorCode::Corrupt
                    : status.IsNoSpace()  ? ErrorCode::Unavailable
                                          : ErrorCode::Io;
  return fail(code, "store: " + status.ToString());
}

Result<void> visit_range(rocksdb::Iterator& it, std::string_view from, std::string_view to,
                         const Reader::Visitor& visit) {
  for (it.Seek(slice(from)); it.Valid() && view(it.key()) < to; it.Next()) {
    if (!visit(view(it.key()), view(it.value()))) return {};
  }
  if (!it.status().ok()) return failure(it.status());
  return {};
}

// Tells the iterator where to stop, so that it does not walk deleted rows behind the range.
struct Bounded {
  explicit Bounded(std::string_view to, const rocksdb::Snapshot* snapshot) : upper(slice(to)) {
    options.iterate_upper_bound = &upper;
    options.snapshot = snapshot;
  }
  rocksdb::Slice upper;
  rocksdb::ReadOptions options;
};

// The open database and the calls and snapshots that use it. A checkpoint takes its place only when
// nobody does; whoever asks meanwhile is refused. Thread-safe.
class Slot {
 public:
  class Pin {
   public:
    explicit Pin(Slot* slot) : slot_(slot) {}
    Pin(const Pin&) = delete;
    Pin& operator=(const Pin&) = delete;
    ~Pin() {
      if (slot_ != nullptr) slot_->unpin();
    }
    rocksdb::DB* get() const { return slot_ == nullptr ? nullptr : slot_->db_.get(); }

   private:
    Slot* slot_;
  };

  // Empty while the database is being replaced.
  Pin pin() {
    std::lock_guard lock(mutex_);
    if (is_closing_ || db_ == nullptr) return Pin(nullptr);
    ++pins_;
    return Pin(this);
  }

  void fill(rocksdb::DB* db) {
    std::lock_guard lock(mutex_);
    db_.reset(db);
    is_closing_ = false;
  }

  // False when somebody still reads at the deadline; then all stays as it was.
  bool close(Duration deadline) {
    std::unique_lock lock(mutex_);
    is_closing_ = true;
    if (!unpinned_.wait_for(lock, deadline, [this] { return pins_ == 0; })) {
      is_closing_ = false;
      return false;
    }
    db_.reset();
    return true;
  }

  // For the raft thread, which alone closes.
  rocksdb::DB* db() const { return db_.get(); }

 private:
  void unpin() {
    std::lock_guard lock(mutex_);
    if (--pins_ == 0) unpinned_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable unpinned_;
  std::unique_ptr<rocksdb::DB> db_;
  int pins_ = 0;
  bool is_closing_ = false;
};

tl::unexpected<Error> being_replaced() {
  return fail(ErrorCode::Unavailable, "store: the database is being replaced by a snapshot");
}

Result<std::optional<std::string>> get_row(rocksdb::DB* db, const rocksdb::Snapshot* snapshot,
                                           std::string_view key) {
  rocksdb::ReadOptions options;
  options.snapshot = snapshot;
  std::string value;
  const auto status = db->Get(options, slice(key), &value);
  if (status.IsNotFound()) return std::nullopt;
  if (!status.ok()) return failure(status);
  return std::optional(std::move(value));
}

Result<void> scan_rows(rocksdb::DB* db, const rocksdb::Snapshot* snapshot, std::string_view from,
                       std::string_view to, const Reader::Visitor& visit) {
  const Bounded bounded(to, snapshot);
  const std::unique_ptr<rocksdb::Iterator> it(db->NewIterator(bounded.options));
  return visit_range(*it, from, to, visit);
}

// What is committed, at any time; outlives every database that it reads.
class LiveReader final : public Reader {
 public:
  explicit LiveReader(Slot* slot) : slot_(slot) {}

  Result<std::optional<std::string>> get(std::string_view key) const override {
    const auto pin = slot_->pin();
    return pin.get() == nullptr ? being_replaced() : get_row(pin.get(), nullptr, key);
  }
  Result<void> scan(std::string_view from, std::string_view to,
                    const Visitor& visit) const override {
    const auto pin = slot_->pin();
    return pin.get() == nullptr ? being_replaced() : scan_rows(pin.get(), nullptr, from, to, visit);
  }

 private:
  Slot* slot_;
};

// Keeps the database from being replaced as long as it lives.
class SnapshotReader final : public Reader {
 public:
  explicit SnapshotReader(std::shared_ptr<Slot> slot)
      : slot_(std::move(slot)),
        pin_(slot_->pin()),
        snapshot_(pin_.get() == nullptr ? nullptr : pin_.get()->GetSnapshot()) {}
  ~SnapshotReader() override {
    if (snapshot_ != nullptr) pin_.get()->ReleaseSnapshot(snapshot_);
  }

  Result<std::optional<std::string>> get(std::string_view key) const override {
    return snapshot_ == nullptr ? being_replaced() : get_row(pin_.get(), snapshot_, key);
  }
  Result<void> scan(std::string_view from, std::string_view to,
                    const Visitor& visit) const override {
    return snapshot_ == nullptr ? being_replaced()
                                : scan_rows(pin_.get(), snapshot_, from, to, visit);
  }

 private:
  std::shared_ptr<Slot> slot_;
  Slot::Pin pin_;
  const rocksdb::Snapshot* snapshot_;
};

class DatabaseBatch final : public Batch {
 public:
  explicit DatabaseBatch(rocksdb::DB* db)
      : db_(db), batch_(rocksdb::BytewiseComparator(), 0, true) {}

  Result<std::optional<std::string>> get(std::string_view key) const override {
    std::string value;
    const auto status = batch_.GetFromBatchAndDB(db_, rocksdb::ReadOptions(), slice(key), &value);
    if (status.IsNotFound()) return std::nullopt;
    if (!status.ok()) return failure(status);
    return std::optional(std::move(value));
  }
  Result<void> scan(std::string_view from, std::string_view to,
                    const Visitor& visit) const override {
    const Bounded bounded(to, nullptr);
    const std::unique_ptr<rocksdb::Iterator> it(batch_.NewIteratorWithBase(
        db_->DefaultColumnFamily(), db_->NewIterator(bounded.options), &bounded.options));
    return visit_range(*it, from, to, visit);
  }
  void put(std::string_view key, std::string_view value) override {
    batch_.Put(slice(key), slice(value));
  }
  void erase(std::string_view key) override { batch_.Delete(slice(key)); }
  // WriteBatchWithIndex cannot hold range deletions, so the keys are deleted one by one. Callers
  // keep the ranges small (a job's own rows).
  void erase_range(std::string_view from, std::string_view to) override {
    std::vector<std::string> doomed;
    const auto collected = scan(from, to, [&](std::string_view key, std::string_view) {
      doomed.emplace_back(key);
      return true;
    });
    if (!collected) return;
    for (const std::string& key : doomed) erase(key);
  }
  void set_save_point() override { batch_.SetSavePoint(); }
  void roll_back_to_save_point() override { batch_.RollbackToSavePoint(); }

  rocksdb::WriteBatch* raw() { return batch_.GetWriteBatch(); }
  void clear() { batch_.Clear(); }

 private:
  rocksdb::DB* db_;
  mutable rocksdb::WriteBatchWithIndex batch_;
};

std::vector<std::string> names_in(const Path& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    names.push_back(entry.path().filename().string());
  }
  return names;
}

rocksdb::Options database_options() {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.write_buffer_size = kWriteBufferBytes;
  options.max_write_buffer_number = kWriteBuffers;
  options.max_background_jobs = 2;
  options.max_open_files = 256;
  options.keep_log_file_num = 2;
  options.max_log_file_size = 1024 * 1024;
  options.stats_dump_period_sec = 0;
  options.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  options.compression = rocksdb::kLZ4Compression;
  options.level_compaction_dynamic_level_bytes = true;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(kBlockCacheBytes);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.cache_index_and_filter_blocks = true;
  table.format_version = 5;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

class RocksStore final : public Store {
 public:
  explicit RocksStore(Path directory)
      : directory_(std::move(directory)), slot_(std::make_shared<Slot>()), reader_(slot_.get()) {}

  Result<void> open_database() {
    rocksdb::DB* db = nullptr;
    const auto status = rocksdb::DB::Open(database_options(), database_path().string(), &db);
    if (!status.ok()) return failure(status);
    slot_->fill(db);
    batch_ = std::make_unique<DatabaseBatch>(db);
    return {};
  }

  const Reader& reader() const override { return reader_; }
  std::unique_ptr<Reader> snapshot() const override {
    return std::make_unique<SnapshotReader>(slot_);
  }
  Batch& batch() override { return *batch_; }

  Result<void> commit() override {
    auto status = write_batch();
    if (status.IsNoSpace()) status = write_when_there_is_space(status);
    batch_->clear();
    if (!status.ok()) return failure(status);
    return {};
  }
  bool is_out_of_space() const override { return is_out_of_space_; }
  void stop_waiting() override {
    {
      std::lock_guard lock(mutex_);
      is_stopping_ = true;
    }
    wake_.notify_all();
  }
  void discard() override { batch_->clear(); }

  Result<void> flush() override {
    const auto status = slot_->db()->Flush(rocksdb::FlushOptions());
    if (!status.ok()) return failure(status);
    return {};
  }

  Result<Checkpoint> make_checkpoint(const std::string& name) override {
    if (auto flushed = flush(); !flushed) return fail(flushed.error());
    remove_checkpoint(name);
    if (auto made = make_directories(checkpoints_path()); !made) return fail(made.error());
    rocksdb::Checkpoint* raw = nullptr;
    auto status = rocksdb::Checkpoint::Create(slot_->db(), &raw);
    if (!status.ok()) return failure(status);
    const std::unique_ptr<rocksdb::Checkpoint> maker(raw);
    status = maker->CreateCheckpoint((checkpoints_path() / name).string());
    if (!status.ok()) return failure(status);
    Checkpoint checkpoint{name, {}};
    std::error_code error;
    for (const auto& file : std::filesystem::directory_iterator(checkpoints_path() / name, error)) {
      checkpoint.files.push_back({file.path().filename().string(), file.file_size(error)});
    }
    if (error) return fail(ErrorCode::Io, "store: " + error.message());
    std::sort(checkpoint.files.begin(), checkpoint.files.end(),
              [](const auto& a, const auto& b) { return a.name < b.name; });
    if (auto synced = fsync_directory(checkpoints_path()); !synced) return fail(synced.error());
    return checkpoint;
  }

  std::vector<std::string> checkpoints() const override { return names_in(checkpoints_path()); }

  void remove_checkpoint(const std::string& name) override {
    std::error_code ignored;
    std::filesystem::remove_all(checkpoints_path() / name, ignored);
  }

  bool has_checkpoint(const Checkpoint& checkpoint) const override {
    const Path source = checkpoint_path(checkpoint.name);
    return !checkpoint.files.empty() &&
           std::all_of(checkpoint.files.begin(), checkpoint.files.end(), [&](const auto& file) {
             std::error_code error;
             return std::filesystem::file_size(source / file.name, error) == file.size_bytes &&
                    !error;
           });
  }

  Path checkpoint_path(const std::string& name) const override { return checkpoints_path() / name; }

  Result<Incoming> begin_incoming(const std::string& name) override {
    Incoming incoming{incoming_path() / name, {}};
    if (auto made = make_directories(incoming.directory); !made) return fail(made.error());
    for (const std::string& other : checkpoints()) {
      incoming.donors.push_back(checkpoint_path(other));
    }
    // Of earlier fetches the newest is kept, for the files that it shares with this one.
    std::vector<std::string> others = names_in(incoming_path());
    std::erase(others, name);
    std::sort(others.begin(), others.end(), [](const auto& a, const auto& b) {
      return a.size() != b.size() ? a.size() > b.size() : a > b;
    });
    for (std::size_t i = 0; i < others.size(); ++i) {
      std::error_code ignored;
      if (i > 0) std::filesystem::remove_all(incoming_path() / others[i], ignored);
    }
    if (!others.empty()) incoming.donors.push_back(incoming_path() / others[0]);
    incoming.donors.push_back(database_path());
    return incoming;
  }

  Result<void> finish_incoming(const std::string& name) override {
    if (auto made = make_directories(checkpoints_path()); !made) return made;
    remove_checkpoint(name);
    std::error_code error;
    std::filesystem::rename(incoming_path() / name, checkpoint_path(name), error);
    if (error) return fail(ErrorCode::Io, "store: checkpoint " + name + ": " + error.message());
    if (auto synced = fsync_directory(checkpoints_path()); !synced) return synced;
    discard_incoming();
    return {};
  }

  void discard_incoming() override {
    std::error_code ignored;
    std::filesystem::remove_all(incoming_path(), ignored);
  }

  Result<void> restore_checkpoint(const Checkpoint& checkpoint) override {
    const Path source = checkpoints_path() / checkpoint.name;
    for (const auto& file : checkpoint.files) {
      std::error_code error;
      const auto size = std::filesystem::file_size(source / file.name, error);
      if (error || size != file.size_bytes) {
        return fail(ErrorCode::Corrupt, "store: checkpoint " + checkpoint.name + ": file " +
                                            file.name +
                                            (error ? " is missing" : " has the wrong size"));
      }
    }
    if (checkpoint.files.empty()) {
      return fail(ErrorCode::Corrupt, "store: checkpoint " + checkpoint.name + " has no files");
    }
    if (auto staged = stage(checkpoint, source); !staged) return staged;
    return replace_database();
  }

  std::uint64_t memory_bytes() const override {
    const auto pin = slot_->pin();
    if (pin.get() == nullptr) return 0;
    std::uint64_t total = 0;
    for (const char* property :
         {"rocksdb.cur-size-all-mem-tables", "rocksdb.estimate-table-readers-mem",
          "rocksdb.block-cache-usage"}) {
      std::uint64_t value = 0;
      if (pin.get()->GetIntProperty(property, &value)) total += value;
    }
    return total;
  }

 private:
  rocksdb::Status write_batch() {
    rocksdb::WriteOptions options;
    options.disableWAL = true;
    return slot_->db()->Write(options, batch_->raw());
  }

  // RocksDB refuses writes once it could not write a table. Resume() tries that again; the tables
  // in memory are still there, so nothing that was applied is lost.
  rocksdb::Status write_when_there_is_space(rocksdb::Status status) {
    log::error("store: the disk is full, nothing is applied until there is space",
               {{"error", status.ToString()}});
    is_out_of_space_ = true;
    std::unique_lock lock(mutex_);
    while (status.IsNoSpace() &&
           !wake_.wait_for(lock, kSpaceRecheck, [this] { return is_stopping_; })) {
      if (const auto resumed = slot_->db()->Resume(); !resumed.ok()) continue;
      status = write_batch();
    }
    if (status.ok()) log::info("store: there is space on the disk again");
    is_out_of_space_ = false;
    return status;
  }

  Path database_path() const { return directory_ / "db"; }
  Path checkpoints_path() const { return directory_ / "checkpoints"; }
  Path incoming_path() const { return directory_ / "incoming"; }

  Path staged_path() const { return directory_ / "db.restoring"; }
  Path replaced_path() const { return directory_ / "db.replaced"; }

  // Makes a complete, synced and readable copy of the checkpoint beside the database.
  Result<void> stage(const Checkpoint& checkpoint, const Path& source) {
    std::error_code ignored;
    std::filesystem::remove_all(staged_path(), ignored);
    if (auto made = make_directories(staged_path()); !made) return made;
    for (const auto& file : checkpoint.files) {
      if (auto linked = link_or_copy(source / file.name, staged_path() / file.name); !linked)
        return linked;
    }
    if (auto synced = fsync_directory(staged_path()); !synced) return synced;
    auto options = database_options();
    options.create_if_missing = false;
    rocksdb::DB* raw = nullptr;
    const auto status = rocksdb::DB::OpenForReadOnly(options, staged_path().string(), &raw);
    const std::unique_ptr<rocksdb::DB> readable(raw);
    if (!status.ok()) {
      return fail(ErrorCode::Corrupt,
                  "store: checkpoint " + checkpoint.name + ": " + status.ToString());
    }
    return {};
  }

  // The old database goes when the new one has its name; until then it can come back. A process
  // that dies in between starts with an empty database and restores the same snapshot again.
  Result<void> replace_database() {
    std::error_code error;
    std::filesystem::remove_all(replaced_path(), error);
    batch_->clear();
    if (!slot_->close(kCloseDeadline)) {
      return fail(ErrorCode::Unavailable, "store: a reader does not let go of the database");
    }
    batch_.reset();
    std::filesystem::rename(database_path(), replaced_path(), error);
    if (!error) {
      std::filesystem::rename(staged_path(), database_path(), error);
      std::error_code ignored;
      if (error) std::filesystem::rename(replaced_path(), database_path(), ignored);
    }
    if (auto opened = open_database(); !opened) return opened;
    if (error) return fail(ErrorCode::Io, "store: " + error.message());
    if (auto synced = fsync_directory(directory_); !synced) return synced;
    std::filesystem::remove_all(replaced_path(), error);
    return {};
  }

  // Table files are immutable and shared; the small files that RocksDB appends to are copied.
  static Result<void> link_or_copy(const Path& from, const Path& to) {
    std::error_code error;
    if (is_immutable(from.filename().string())) {
      std::filesystem::create_hard_link(from, to, error);
      if (!error) return {};
      error.clear();
    }
    std::filesystem::copy_file(from, to, error);
    if (error) return fail(ErrorCode::Io, to.string() + ": " + error.message());
    auto fd = open_file(to, 0);
    if (!fd) return fail(fd.error());
    if (::fsync(fd->get()) != 0) return fail_errno(to.string(), errno);
    return {};
  }

  Path directory_;
  std::shared_ptr<Slot> slot_;
  LiveReader reader_;
  std::unique_ptr<DatabaseBatch> batch_;
  std::atomic<bool> is_out_of_space_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
  bool is_stopping_ = false;
};

}  // namespace

Result<std::unique_ptr<Store>> Store::open(const Path& directory) {
  if (auto made = make_directories(directory); !made) return fail(made.error());
  auto store = std::make_unique<RocksStore>(directory);
  if (auto opened = store->open_database(); !opened) return fail(opened.error());
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace dkron::store
