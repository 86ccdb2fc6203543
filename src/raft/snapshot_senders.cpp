#include "raft/snapshot_senders.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/checksum.h"
#include "base/log.h"
#include "raft/stream.h"

namespace dkron::raft {
namespace {

Result<void> send_content(TransferSocket& socket, int fd, const SnapshotFile& file,
                          std::uint64_t offset) {
  std::string chunk(TransferSocket::kChunkBytes, '\0');
  while (offset < file.size_bytes) {
    const std::size_t wanted = std::min<std::uint64_t>(chunk.size(), file.size_bytes - offset);
    const ssize_t n = ::pread(fd, chunk.data(), wanted, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(file.name, errno);
    if (n == 0) return fail(ErrorCode::Corrupt, file.name + " is shorter than its manifest says");
    const auto size = static_cast<std::size_t>(n);
    if (auto sent = socket.send(std::string_view(chunk.data(), size)); !sent) return sent;
    offset += size;
  }
  return {};
}

Result<void> answer(TransferSocket& socket, const SnapshotSource& source,
                    const FileRequest& request) {
  if (request.number >= source.files.size()) {
    return fail(ErrorCode::Corrupt, "a file was asked for that is not in the manifest");
  }
  const SnapshotFile& file = source.files[request.number];
  auto fd = open_file(source.directory / file.name, O_RDONLY);
  if (!fd) return fail(fd.error());
  if (request.what == FileRequest::What::Content) {
    return send_content(socket, fd->get(), file, request.offset);
  }
  auto sum = sum_file(fd->get(), file.size_bytes, file.name);
  if (!sum) return fail(sum.error());
  return socket.send(*sum);
}

}  // namespace

Result<void> serve_files(TransferSocket& socket, const SnapshotSource& source) {
  for (;;) {
    auto request = socket.receive_request();
    if (!request && request.error().code == ErrorCode::Canceled) return {};
    if (!request) return fail(request.error());
    if (auto answered = answer(socket, source, *request); !answered) return answered;
  }
}

struct SnapshotSenders::Transfer {
  std::string peer;
  SnapshotSource source;
  std::unique_ptr<TransferSocket> socket;
  std::thread thread;
};

SnapshotSenders::SnapshotSenders(StateMachine& machine, PostToRaft post)
    : machine_(machine), post_(std::move(post)) {}

SnapshotSenders::~SnapshotSenders() {
  stop();
  join();
}

void SnapshotSenders::remember(std::string_view manifest) {
  std::erase(manifests_, manifest);
  manifests_.emplace_back(manifest);
  if (manifests_.size() > kManifests) manifests_.pop_front();
}

const std::string* SnapshotSenders::find_manifest(std::uint64_t id) const {
  const auto found = std::find_if(manifests_.begin(), manifests_.end(),
                                  [&](const auto& m) { return checksum64(m) == id; });
  return found == manifests_.end() ? nullptr : &*found;
}

Result<void> SnapshotSenders::check(const Hello& hello) {
  if (is_stopped_) return fail(ErrorCode::Unavailable, "this server is shutting down");
  const std::string* manifest = find_manifest(hello.manifest_id.value_or(0));
  if (manifest == nullptr) {
    return fail(ErrorCode::NotFound, "this server has no snapshot with the manifest " +
                                         std::to_string(hello.manifest_id.value_or(0)));
  }
  if (transfers_.size() >= kTransfers) {
    return fail(ErrorCode::Overloaded, "this server sends " + std::to_string(kTransfers) +
                                           " snapshots already; try again");
  }
  auto source = machine_.snapshot_source(*manifest);
  if (!source) return fail(source.error());
  return {};
}

void SnapshotSenders::serve(const Hello& hello, uv_stream_t* stream) {
  auto source = machine_.snapshot_source(*find_manifest(*hello.manifest_id));  // As checked.
  if (!source) return close_stream(stream);
  auto socket = TransferSocket::take(stream);
  if (!socket) return;
  auto owned = std::make_unique<Transfer>();
  Transfer* transfer = owned.get();
  transfers_.push_back(std::move(owned));
  transfer->peer = hello.sender_address;
  transfer->source = std::move(*source);
  transfer->socket = std::move(*socket);
  log::info("raft snapshot: sending the files", {{"to", transfer->peer}});
  transfer->thread = std::thread([this, transfer] {
    pthread_setname_np(pthread_self(), "raft-send");
    const Result<void> result = serve_files(*transfer->socket, transfer->source);
    // The receiver may wait for more, and must not wait for somebody to look at this.
    transfer->socket->abort();
    post_([this, transfer, result] { end(transfer, result); });
  });
}

void SnapshotSenders::end(Transfer* transfer, const Result<void>& result) {
  const auto found = std::find_if(transfers_.begin(), transfers_.end(),
                                  [&](const auto& t) { return t.get() == transfer; });
  if (found == transfers_.end()) return;  // join() was there first.
  if (result) {
    log::info("raft snapshot: the receiver has the files", {{"to", transfer->peer}});
  } else {
    log::warning("raft snapshot: sending the files was broken off",
                 {{"to", transfer->peer}, {"error", result.error()}});
  }
  transfer->thread.join();
  transfers_.erase(found);
}

void SnapshotSenders::stop() {
  is_stopped_ = true;
  for (const auto& transfer : transfers_) transfer->socket->abort();
}

void SnapshotSenders::join() {
  for (const auto& transfer : transfers_) transfer->thread.join();
  transfers_.clear();
}

}  // namespace dkron::raft
