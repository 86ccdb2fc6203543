// SnapshotSenders: gives other servers the files of the snapshots that this server has.
//
// Only manifests that were taken or restored here count, the newest few of them. Each transfer has
// a thread of its own, since it blocks on the disk and on the receiver. Owned by Engine; raft
// thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <thread>

#include "base/executor.h"
#include "raft/hello.h"
#include "raft/node.h"
#include "raft/transfer_socket.h"

namespace dkron::raft {

// The sending end of a transfer: answers until the other side has no more questions. Blocks.
Result<void> serve_files(TransferSocket& socket, const SnapshotSource& source);

class SnapshotSenders {
 public:
  static constexpr std::size_t kTransfers = 4;  // At the same time; more are refused.
  static constexpr std::size_t kManifests = 3;

  using PostToRaft = std::function<bool(Task)>;
  SnapshotSenders(StateMachine& machine, PostToRaft post);
  ~SnapshotSenders();
  SnapshotSenders(const SnapshotSenders&) = delete;
  SnapshotSenders& operator=(const SnapshotSenders&) = delete;

  // This server has a snapshot with this manifest.
  void remember(std::string_view manifest);

  // Whether what the hello asks for can be given now.
  Result<void> check(const Hello& hello);
  // Takes the stream of a hello that was found good.
  void serve(const Hello& hello, uv_stream_t* stream);

  void stop();
  // Waits for the threads; behind stop().
  void join();

 private:
  struct Transfer;

  const std::string* find_manifest(std::uint64_t id) const;
  void end(Transfer* transfer, const Result<void>& result);

  StateMachine& machine_;
  const PostToRaft post_;
  bool is_stopped_ = false;
  std::deque<std::string> manifests_;  // The newest last.
  std::list<std::unique_ptr<Transfer>> transfers_;
};

}  // namespace dkron::raft
