#include "raft/snapshot_fetcher.h"

#include <pthread.h>

#include "base/checksum.h"
#include "base/log.h"
#include "raft/file_fetch.h"
#include "raft/stream.h"

namespace dkron::raft {

SnapshotFetcher::SnapshotFetcher(Transport& transport, StateMachine& machine, PostToRaft post)
    : transport_(transport), machine_(machine), post_(std::move(post)) {}

SnapshotFetcher::~SnapshotFetcher() {
  stop();
  join();
}

Result<bool> SnapshotFetcher::may_install(const Server& leader, std::string_view manifest) {
  if (is_busy_) return false;
  auto held = machine_.holds(manifest);
  if (!held) return fail(held.error());
  if (!*held && !is_stopped_ && system_clock().steady() >= retry_at_) begin(leader, manifest);
  return *held;
}

void SnapshotFetcher::begin(const Server& leader, std::string_view manifest) {
  auto target = machine_.snapshot_target(manifest);
  if (!target) return end(fail(target.error()));
  target_ = std::move(*target);
  manifest_ = manifest;
  leader_ = leader;
  is_busy_ = true;
  transport_.connect(leader, checksum64(manifest),
                     [this](Result<uv_stream_t*> stream) { on_connected(std::move(stream)); });
}

void SnapshotFetcher::on_connected(Result<uv_stream_t*> stream) {
  if (stream && is_stopped_) {
    close_stream(*stream);
    stream = fail(ErrorCode::Canceled, "this server is shutting down");
  }
  if (!stream) return end(fail(stream.error()));
  auto socket = TransferSocket::take(*stream);
  if (!socket) return end(fail(socket.error()));
  socket_ = std::move(*socket);
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "raft-fetch");
    const Result<void> result = FileFetch(*socket_, *target_, leader_.node_name).run();
    post_([this, result] {
      if (!thread_.joinable()) return;  // join() was there first.
      thread_.join();
      end(result);
    });
  });
}

void SnapshotFetcher::end(const Result<void>& result) {
  is_busy_ = false;
  socket_.reset();
  Result<void> received = result;
  if (received) received = machine_.snapshot_received(manifest_);
  if (received || is_stopped_) return;
  retry_at_ = system_clock().steady() + kRetryAfter;
  log::warning("raft snapshot: not fetched, to be tried again",
               {{"from", leader_.node_name}, {"error", received.error()}});
}

void SnapshotFetcher::stop() {
  is_stopped_ = true;
  if (socket_ != nullptr) socket_->abort();
}

void SnapshotFetcher::join() {
  if (thread_.joinable()) thread_.join();
}

}  // namespace dkron::raft
