// Transport: byte streams between servers, in plain form.
//
// Opens no port: the port is shared with gRPC, so the acceptor of the process hands connections
// over with accept(), and only a stream whose hello (hello.h) fits is taken. Outgoing connections
// are dialed by Options::dial, or go to the host and port inside the server address; each direction
// has its own. Streams for libraft's messages reach it through raw(); those for the files of
// snapshots have a hook and a call of their own. Owned by Engine, raft thread only. libraft closes
// it through raw()->close; it must outlive the callback of that.
#pragma once

#include <unordered_map>
#include <unordered_set>

#include "base/executor.h"
#include "base/file.h"
#include "raft/hello.h"
#include "raft/libraft.h"
#include "raft/seldom.h"

namespace dkron::raft {

class IncomingConnection;
class OutgoingConnection;

class Transport {
 public:
  // From the connection to the last byte of the hello.
  static constexpr unsigned kHelloLimitMs = 5000;
  // From the order to connect to the answer to our hello.
  static constexpr unsigned kConnectLimitMs = 10 * 1000;
  // Incoming connections whose hello is not complete; beyond it new ones are closed.
  static constexpr std::size_t kPendingHellos = 64;

  // Takes an accepted stream for the files of a snapshot; an error is the answer to the hello.
  struct SnapshotHooks {
    std::function<Result<void>(const Hello&)> check;
    std::function<void(const Hello&, uv_stream_t*)> serve;
  };
  struct Setup {
    std::string address;  // Ours, node_name@host:port.
    decltype(Options::dial) dial;
    // Runs a task on the raft thread; false (and it is destroyed) when that takes no more. Any
    // thread, also behind the end of the Node.
    std::function<bool(Task)> post;
    SnapshotHooks snapshots;
  };

  Transport(uv_loop_t& loop, Setup setup);
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  struct raft_uv_transport* raw() { return &raw_; }
  // Before libraft listens.
  void set_identity(Identity identity) { identity_ = std::move(identity); }

  // Takes a connected stream socket (TCP, or one end of a socket pair).
  void accept(UniqueFd connection);

  // Connects to the server, for libraft's messages or for a snapshot. Calls back once, not from
  // inside the call; an accepted stream is the callee's. Errors as of OutgoingConnection::OnDone.
  using OnConnected = std::function<void(Result<uv_stream_t*>)>;
  void connect(const Server& server, std::optional<std::uint64_t> manifest_id, OnConnected done);

 private:
  int connect_raft(struct raft_uv_connect* request, raft_id id, const char* address,
                   raft_uv_connect_cb cb);
  Result<void> check(const Hello& hello) const;
  void on_stream(const Hello& hello, uv_stream_t* stream);
  void log_refused(const std::string& reason);
  void log_failure(const Server& server, const Error& error);
  void close(raft_uv_transport_close_cb cb);
  void finish_close();

  uv_loop_t& loop_;
  const Setup setup_;
  Identity identity_;
  struct raft_uv_transport raw_ = {};
  raft_uv_accept_cb accept_cb_ = nullptr;  // Null while libraft does not listen.
  raft_uv_transport_close_cb close_cb_ = nullptr;
  bool is_closing_ = false;
  // By a number of their own, since a dialed connection may come after their end.
  std::unordered_map<std::uint64_t, OutgoingConnection*> outgoing_;
  std::uint64_t next_outgoing_ = 1;
  std::unordered_set<IncomingConnection*> incoming_;
  Seldom seldom_;
};

}  // namespace dkron::raft
