#include "store/memory_store.h"

#include <utility>

#include "base/assert.h"
#include "store/keys.h"

namespace dkron::store {
namespace {

using Rows = MemoryStore::Rows;

// Reads rows that live elsewhere: the live database.
class RowsReader final : public Reader {
 public:
  explicit RowsReader(const Rows* rows) : rows_(rows) {}

  Result<std::optional<std::string>> get(std::string_view key) const override {
    const auto it = rows_->find(key);
    if (it == rows_->end()) return std::nullopt;
    return std::optional(it->second);
  }
  Result<void> scan(std::string_view from, std::string_view to,
                    const Visitor& visit) const override {
    for (auto it = rows_->lower_bound(from); it != rows_->end() && it->first < to; ++it) {
      if (!visit(it->first, it->second)) return {};
    }
    return {};
  }

 private:
  const Rows* rows_;
};

class SnapshotReader final : public Reader {
 public:
  explicit SnapshotReader(Rows rows) : rows_(std::move(rows)), reader_(&rows_) {}

  Result<std::optional<std::string>> get(std::string_view key) const override {
    return reader_.get(key);
  }
  Result<void> scan(std::string_view from, std::string_view to,
                    const Visitor& visit) const override {
    return reader_.scan(from, to, visit);
  }

 private:
  const Rows rows_;
  RowsReader reader_;
};

// A checkpoint as bytes: key and value of each row, each behind its length (8, big-endian).
void append_field(std::string* bytes, std::string_view field) {
  keys::append_u64(bytes, field.size());
  *bytes += field;
}

std::string to_bytes(const Rows& rows) {
  std::string bytes;
  for (const auto& [key, value] : rows) {
    append_field(&bytes, key);
    append_field(&bytes, value);
  }
  return bytes;
}

bool take_field(std::string_view* bytes, std::string* field) {
  if (bytes->size() < 8) return false;
  const std::uint64_t size = keys::read_u64(*bytes);
  bytes->remove_prefix(8);
  if (size > bytes->size()) return false;
  *field = bytes->substr(0, size);
  bytes->remove_prefix(size);
  return true;
}

std::uint64_t size_of(const Rows& rows) {
  std::uint64_t size = 0;
  for (const auto& [key, value] : rows) size += 16 + key.size() + value.size();
  return size;
}

}  // namespace

// The changes over the live rows; nullopt is an erased key. `undo_` remembers what each write
// replaced, so that a save point costs nothing.
class MemoryStore::MemoryBatch final : public Batch {
 public:
  explicit MemoryBatch(const Rows* base) : base_(base) {}

  Result<std::optional<std::string>> get(std::string_view key) const override {
    const auto it = changes_.find(key);
    if (it != changes_.end()) return it->second;
    return RowsReader(base_).get(key);
  }

  Result<void> scan(std::string_view from, std::string_view to,
                    const Visitor& visit) const override {
    auto below = base_->lower_bound(from);
    auto above = changes_.lower_bound(from);
    while (true) {
      const bool has_below = below != base_->end() && below->first < to;
      const bool has_above = above != changes_.end() && above->first < to;
      if (!has_below && !has_above) return {};
      if (!has_above || (has_below && below->first < above->first)) {
        if (!visit(below->first, below->second)) return {};
        ++below;
        continue;
      }
      if (has_below && below->first == above->first) ++below;
      if (above->second.has_value() && !visit(above->first, *above->second)) return {};
      ++above;
    }
  }

  void put(std::string_view key, std::string_view value) override {
    change(key, std::string(value));
  }
  void erase(std::string_view key) override { change(key, std::nullopt); }

  void erase_range(std::string_view from, std::string_view to) override {
    std::vector<std::string> doomed;
    const auto collected = scan(from, to, [&](std::string_view key, std::string_view) {
      doomed.emplace_back(key);
      return true;
    });
    DK_ASSERT(collected.has_value());
    for (const std::string& key : doomed) erase(key);
  }

  void set_save_point() override { save_points_.push_back(undo_.size()); }

  void roll_back_to_save_point() override {
    if (save_points_.empty()) return;
    for (; undo_.size() > save_points_.back(); undo_.pop_back()) {
      auto& [key, before] = undo_.back();
      if (before.has_value()) {
        changes_[key] = std::move(*before);
      } else {
        changes_.erase(key);
      }
    }
    save_points_.pop_back();
  }

  void commit_to(Rows* rows) {
    for (auto& [key, value] : changes_) {
      if (value.has_value()) {
        rows->insert_or_assign(key, std::move(*value));
      } else {
        rows->erase(key);
      }
    }
    clear();
  }

  void clear() {
    changes_.clear();
    undo_.clear();
    save_points_.clear();
  }

 private:
  using Change = std::optional<std::string>;

  void change(std::string_view key, Change value) {
    const auto it = changes_.find(key);
    if (it == changes_.end()) {
      undo_.emplace_back(key, std::nullopt);
      changes_.emplace(key, std::move(value));
    } else {
      undo_.emplace_back(key, std::exchange(it->second, std::move(value)));
    }
  }

  const Rows* base_;
  std::map<std::string, Change, std::less<>> changes_;
  std::vector<std::pair<std::string, std::optional<Change>>> undo_;
  std::vector<std::size_t> save_points_;
};

MemoryStore::MemoryStore()
    : reader_(std::make_unique<RowsReader>(&rows_)),
      batch_(std::make_unique<MemoryBatch>(&rows_)) {}
MemoryStore::~MemoryStore() = default;

const Reader& MemoryStore::reader() const {
  return *reader_;
}
std::unique_ptr<Reader> MemoryStore::snapshot() const {
  return std::make_unique<SnapshotReader>(rows_);
}
Batch& MemoryStore::batch() {
  return *batch_;
}

Result<void> MemoryStore::commit() {
  batch_->commit_to(&rows_);
  return {};
}

void MemoryStore::discard() {
  batch_->clear();
}

Result<void> MemoryStore::flush() {
  durable_ = rows_;
  return {};
}

void MemoryStore::crash() {
  batch_->clear();
  rows_ = durable_;
}

Result<Checkpoint> MemoryStore::make_checkpoint(const std::string& name) {
  durable_ = rows_;
  checkpoints_.insert_or_assign(name, rows_);
  return Checkpoint{name, {{kFileName, size_of(rows_)}}};
}

std::vector<std::string> MemoryStore::checkpoints() const {
  std::vector<std::string> names;
  for (const auto& [name, rows] : checkpoints_) names.push_back(name);
  return names;
}

void MemoryStore::remove_checkpoint(const std::string& name) {
  checkpoints_.erase(name);
}

bool MemoryStore::has_checkpoint(const Checkpoint& checkpoint) const {
  return checkpoints_.contains(checkpoint.name);
}

Result<void> MemoryStore::restore_checkpoint(const Checkpoint& checkpoint) {
  const auto found = checkpoints_.find(checkpoint.name);
  for (const auto& file : checkpoint.files) {
    const bool present = found != checkpoints_.end() && file.name == kFileName;
    if (!present || file.size_bytes != size_of(found->second)) {
      return fail(ErrorCode::Corrupt, "store: checkpoint " + checkpoint.name + ": file " +
                                          file.name +
                                          (present ? " has the wrong size" : " is missing"));
    }
  }
  if (checkpoint.files.empty()) {
    return fail(ErrorCode::Corrupt, "store: checkpoint " + checkpoint.name + " has no files");
  }
  batch_->clear();
  rows_ = found->second;
  durable_ = rows_;
  return {};
}

Result<std::string> MemoryStore::read_checkpoint(const std::string& name) const {
  const auto found = checkpoints_.find(name);
  if (found == checkpoints_.end()) return fail(ErrorCode::NotFound, "store: no checkpoint " + name);
  return to_bytes(found->second);
}

Result<Checkpoint> MemoryStore::add_checkpoint(const std::string& name, std::string_view bytes) {
  Rows rows;
  while (!bytes.empty()) {
    std::string key;
    std::string value;
    if (!take_field(&bytes, &key) || !take_field(&bytes, &value)) {
      return fail(ErrorCode::Corrupt, "store: checkpoint " + name + " is cut short");
    }
    rows.insert_or_assign(std::move(key), std::move(value));
  }
  const Checkpoint checkpoint{name, {{kFileName, size_of(rows)}}};
  checkpoints_.insert_or_assign(name, std::move(rows));
  return checkpoint;
}

std::uint64_t MemoryStore::memory_bytes() const {
  return size_of(rows_);
}

}  // namespace dkron::store
