// SnapshotFetcher: gets the files of the leader's snapshot before libraft may install it.
//
// libraft sends a snapshot as one message, so ours holds a manifest only (docs/architecture.md).
// A manifest whose files are not here is held back: its message is dropped, as if it were lost, and
// the files are fetched over a connection of their own by a thread of their own. The leader sends
// the message again and again; once the files are here it passes. So this server never acknowledges
// what it does not hold. Owned by Engine; raft thread only.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "raft/node.h"
#include "raft/transfer_socket.h"
#include "raft/transport.h"

namespace dkron::raft {

class SnapshotFetcher {
 public:
  static constexpr Duration kRetryAfter = seconds(1);

  using PostToRaft = std::function<bool(Task)>;
  SnapshotFetcher(Transport& transport, StateMachine& machine, PostToRaft post);
  ~SnapshotFetcher();
  SnapshotFetcher(const SnapshotFetcher&) = delete;
  SnapshotFetcher& operator=(const SnapshotFetcher&) = delete;

  // Whether a message with this manifest may pass; if not, sees to it that one will.
  Result<bool> may_install(const Server& leader, std::string_view manifest);

  // Begins nothing more, and ends what is under way.
  void stop();
  // Waits for the thread; behind stop().
  void join();

 private:
  void begin(const Server& leader, std::string_view manifest);
  void on_connected(Result<uv_stream_t*> stream);
  void end(const Result<void>& result);

  Transport& transport_;
  StateMachine& machine_;
  const PostToRaft post_;
  bool is_stopped_ = false;
  bool is_busy_ = false;
  Duration retry_at_{0};  // Steady time.
  std::string manifest_;  // Of the present fetch, as are the next ones.
  Server leader_;
  std::optional<SnapshotTarget> target_;
  std::unique_ptr<TransferSocket> socket_;
  std::thread thread_;
};

}  // namespace dkron::raft
