#include "state/machine.h"

#include <algorithm>

#include "base/assert.h"
#include "base/log.h"
#include "model/rows.h"
#include "state/applier.h"
#include "store/keys.h"

namespace dkron::state {

namespace keys = store::keys;

namespace {

constexpr std::uint32_t kManifestFormat = 1;

Result<store::SnapshotManifest> parse_manifest(std::string_view bytes) {
  store::SnapshotManifest manifest;
  if (!manifest.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return fail(ErrorCode::Corrupt, "the snapshot's manifest cannot be decoded");
  }
  if (manifest.format() != kManifestFormat) {
    return fail(ErrorCode::Corrupt,
                "the snapshot has format " + std::to_string(manifest.format()) +
                    ", this version of dkron reads format 1: upgrade this server");
  }
  // The name becomes a path: only what we make ourselves is taken.
  const std::string& name = manifest.checkpoint();
  const bool plain =
      !name.empty() && name.size() <= 32 &&
      std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!plain) return fail(ErrorCode::Corrupt, "the snapshot names an odd checkpoint");
  for (const auto& file : manifest.files()) {
    const bool odd =
        file.name().empty() || file.name().find('/') != std::string::npos || file.name()[0] == '.';
    if (odd) return fail(ErrorCode::Corrupt, "the snapshot names an odd file");
  }
  return manifest;
}

store::Checkpoint checkpoint_of(const store::SnapshotManifest& manifest) {
  store::Checkpoint checkpoint{manifest.checkpoint(), {}};
  for (const auto& file : manifest.files()) {
    checkpoint.files.push_back({file.name(), file.size_bytes()});
  }
  return checkpoint;
}

std::vector<raft::SnapshotFile> files_of(const store::SnapshotManifest& manifest) {
  std::vector<raft::SnapshotFile> files;
  for (const auto& file : manifest.files()) {
    files.push_back({file.name(), file.size_bytes(), store::Store::is_immutable(file.name())});
  }
  return files;
}

}  // namespace

Machine::Machine(store::Store& store, OnChanges on_changes)
    : store_(store), on_changes_(std::move(on_changes)) {}
Machine::~Machine() = default;

Result<std::unique_ptr<Machine>> Machine::open(store::Store& store, OnChanges on_changes) {
  std::unique_ptr<Machine> machine(new Machine(store, std::move(on_changes)));
  if (auto read = machine->read_applied_index(); !read) return fail(read.error());
  return machine;
}

Result<void> Machine::read_applied_index() {
  auto row = store_.reader().get(keys::kApplied);
  if (!row) return fail(row.error());
  applied_index_ = *row ? keys::read_u64(**row) : 0;
  return {};
}

Result<std::vector<raft::Outcome>> Machine::apply(std::uint64_t index,
                                                  std::span<const raft::CommandView> commands) {
  DK_ASSERT(index > applied_index_);
  std::vector<raft::Outcome> outcomes;
  outcomes.reserve(commands.size());
  Applier applier(store_.batch(), index, changes_);
  for (const raft::CommandView& command : commands) {
    auto outcome = applier.apply(command);
    if (!outcome) {
      store_.discard();
      changes_.clear();
      return fail(outcome.error());
    }
    outcomes.push_back(std::move(*outcome));
  }
  std::string applied;
  keys::append_u64(&applied, index);
  store_.batch().put(keys::kApplied, applied);
  if (auto committed = store_.commit(); !committed) return fail(committed.error());
  applied_index_ = index;
  return outcomes;
}

void Machine::publish() {
  if (changes_.empty()) return;
  on_changes_(std::exchange(changes_, {}));
}

Result<std::string> Machine::take_snapshot() {
  const std::string name = std::to_string(applied_index_);
  auto checkpoint = store_.make_checkpoint(name);
  if (!checkpoint) return fail(checkpoint.error());
  store::SnapshotManifest manifest;
  manifest.set_format(kManifestFormat);
  manifest.set_applied_index(applied_index_);
  manifest.set_checkpoint(name);
  for (const auto& file : checkpoint->files) {
    auto* entry = manifest.add_files();
    entry->set_name(file.name);
    entry->set_size_bytes(file.size_bytes);
  }
  return manifest.SerializeAsString();
}

// Raft keeps two snapshots, so two checkpoints stay; and those that are being sent. What was
// fetched from elsewhere and is not complete is not needed when this server writes snapshots
// itself.
void Machine::snapshot_stored(std::string_view bytes) {
  auto manifest = parse_manifest(bytes);
  if (!manifest) return;
  set_newest_checkpoint(manifest->checkpoint());
  store_.discard_incoming();
  std::erase_if(sent_, [](const auto& sent) { return sent.second.expired(); });
  for (const std::string& name : store_.checkpoints()) {
    const bool is_kept =
        name == newest_checkpoint_ || name == previous_checkpoint_ || is_held(name);
    if (!is_kept) store_.remove_checkpoint(name);
  }
}

void Machine::set_newest_checkpoint(const std::string& name) {
  if (name != newest_checkpoint_) previous_checkpoint_ = std::exchange(newest_checkpoint_, name);
}

bool Machine::is_held(const std::string& checkpoint) const {
  const auto found = sent_.find(checkpoint);
  return found != sent_.end() && !found->second.expired();
}

Result<void> Machine::restore(std::string_view bytes) {
  auto manifest = parse_manifest(bytes);
  if (!manifest) return fail(manifest.error());
  set_newest_checkpoint(manifest->checkpoint());
  if (manifest->applied_index() <= applied_index_) return {};
  if (auto restored = store_.restore_checkpoint(checkpoint_of(*manifest)); !restored) {
    return restored;
  }
  if (auto read = read_applied_index(); !read) return read;
  if (applied_index_ != manifest->applied_index()) {
    return fail(ErrorCode::Corrupt, "checkpoint " + manifest->checkpoint() + " holds index " +
                                        std::to_string(applied_index_));
  }
  log::info("state: restored from a checkpoint", {{"index", applied_index_}});
  on_changes_({StateReplaced{}});
  return {};
}

// ---- Snapshots of others

Result<bool> Machine::holds(std::string_view bytes) {
  auto manifest = parse_manifest(bytes);
  if (!manifest) return fail(manifest.error());
  if (manifest->applied_index() > applied_index_) {
    return store_.has_checkpoint(checkpoint_of(*manifest));
  }
  // restore() will keep the present state, so that must survive a crash: behind a snapshot there is
  // no log to apply again.
  if (auto flushed = store_.flush(); !flushed) return fail(flushed.error());
  return true;
}

Result<raft::SnapshotSource> Machine::snapshot_source(std::string_view bytes) {
  auto manifest = parse_manifest(bytes);
  if (!manifest) return fail(manifest.error());
  if (!store_.has_checkpoint(checkpoint_of(*manifest))) {
    return fail(ErrorCode::NotFound, "the checkpoint " + manifest->checkpoint() + " is gone");
  }
  raft::SnapshotSource source{store_.checkpoint_path(manifest->checkpoint()), files_of(*manifest),
                              nullptr};
  auto& sent = sent_[manifest->checkpoint()];
  source.hold = sent.lock();
  if (source.hold == nullptr) {
    source.hold = std::make_shared<int>();
    sent = source.hold;
  }
  return source;
}

Result<raft::SnapshotTarget> Machine::snapshot_target(std::string_view bytes) {
  auto manifest = parse_manifest(bytes);
  if (!manifest) return fail(manifest.error());
  auto incoming = store_.begin_incoming(manifest->checkpoint());
  if (!incoming) return fail(incoming.error());
  return raft::SnapshotTarget{std::move(incoming->directory), files_of(*manifest),
                              std::move(incoming->donors)};
}

Result<void> Machine::snapshot_received(std::string_view bytes) {
  auto manifest = parse_manifest(bytes);
  if (!manifest) return fail(manifest.error());
  return store_.finish_incoming(manifest->checkpoint());
}

}  // namespace dkron::state
