#include "raft/snapshots.h"

#include <algorithm>
#include <climits>
#include <cstring>

#include "base/assert.h"
#include "base/log.h"
#include "raft/snapshot_payload.h"

namespace dkron::raft {
namespace {

constexpr unsigned kNever = UINT_MAX;  // As a threshold of entries.

}  // namespace

Snapshots::Snapshots(struct raft& raft, Guards& guards, StateMachine& machine,
                     const Options& options, OnManifest on_manifest)
    : raft_(raft),
      guards_(guards),
      machine_(machine),
      options_(options),
      on_manifest_(std::move(on_manifest)) {}

bool Snapshots::is_due() const {
  return needs_own_ ||
         raft_last_applied(&raft_) - last_index_ >= options_.snapshot_threshold_entries ||
         sizes_.bytes_since_snapshot() >= options_.snapshot_threshold_bytes;
}

void Snapshots::update() {
  if (guards_.is_snapshotting()) return;
  const std::uint64_t applied = raft_last_applied(&raft_);
  if (!requests_.empty() && applied <= last_index_) answer(requests_, {});
  const bool is_wanted = !requests_.empty() || (is_due() && system_clock().steady() >= retry_at_);
  const bool go = is_wanted && applied > last_index_ && applied <= raft_.last_stored;
  if (go) raft_set_snapshot_trailing(&raft_, sizes_.trailing());
  raft_set_snapshot_threshold(&raft_, go ? 1 : kNever);
}

void Snapshots::fail_requests(const Error& error) {
  answer(requests_, fail(error));
  answer(answering_, fail(error));
}

void Snapshots::answer(std::vector<Callback>& callbacks, const Result<void>& result) {
  for (Callback& callback : callbacks) {
    options_.post([callback = std::move(callback), result] { callback(result); });
  }
  callbacks.clear();
}

void Snapshots::on_loaded(const Guards::Loaded& loaded) {
  last_index_ = loaded.snapshot_index;
  sizes_.set_snapshot(last_index_);
  for (std::size_t i = 0; i < loaded.n_entries; ++i) {
    sizes_.record(loaded.start_index + i,
                  std::max<std::size_t>(loaded.entries[i].buf.len, LogSizes::kSmallEntryBytes));
  }
}

int Snapshots::take(struct raft_buffer** buffers, unsigned* n_buffers) {
  // Otherwise the end of this snapshot would be the event that begins the next one.
  raft_set_snapshot_threshold(&raft_, kNever);
  if (raft_last_applied(&raft_) > raft_.last_stored) return RAFT_BUSY;  // Postponed.
  auto manifest = machine_.take_snapshot();
  if (manifest && manifest->size() > kManifestLimitBytes) {
    manifest = fail(ErrorCode::TooLarge,
                    "the manifest exceeds " + std::to_string(kManifestLimitBytes) + " bytes");
  }
  if (!manifest) {
    log::error("raft snapshot failed; the log keeps growing", {{"error", manifest.error()}});
    retry_at_ = system_clock().steady() + kRetryAfter;
    answer(requests_, fail(manifest.error()));
    return RAFT_IOERR;
  }
  manifest_ = std::move(*manifest);
  const std::string payload = wrap_manifest(manifest_);
  auto* buffer = static_cast<struct raft_buffer*>(raft_malloc(sizeof(struct raft_buffer)));
  DK_ASSERT(buffer != nullptr);
  buffer->base = raft_malloc(payload.size());
  DK_ASSERT(buffer->base != nullptr);
  buffer->len = payload.size();
  std::memcpy(buffer->base, payload.data(), payload.size());
  *buffers = buffer;
  *n_buffers = 1;
  guards_.set_snapshotting(true);
  answering_ = std::move(requests_);
  requests_.clear();
  return 0;
}

void Snapshots::on_put(std::uint64_t index, int status) {
  if (status != 0) return;  // finalize() answers.
  last_index_ = index;
  sizes_.set_snapshot(index);
  needs_own_ = false;
  machine_.snapshot_stored(manifest_);
  on_manifest_(manifest_);
  answer(answering_, {});
  log::debug("raft snapshot stored", {{"index", index}});
}

void Snapshots::finalize(struct raft_buffer** buffers, unsigned* n_buffers) {
  for (unsigned i = 0; i < *n_buffers; ++i) raft_free((*buffers)[i].base);
  raft_free(*buffers);
  *buffers = nullptr;
  *n_buffers = 0;
  guards_.set_snapshotting(false);
  manifest_.clear();
  answer(answering_, fail(ErrorCode::Unavailable, "the snapshot was given up"));
}

Result<void> Snapshots::restore(std::string_view payload, std::uint64_t index) {
  auto manifest = unwrap_manifest(payload);
  if (!manifest) return fail(manifest.error());
  if (auto restored = machine_.restore(*manifest); !restored) return restored;
  needs_own_ = !machine_.snapshot_source(*manifest);
  on_manifest_(*manifest);
  last_index_ = std::max(last_index_, index);
  sizes_.set_snapshot(last_index_);
  return {};
}

}  // namespace dkron::raft
