// Transport: byte streams between servers for libraft, in plain form.
//
// Opens no port: the port is shared with gRPC, so the acceptor of the process hands connections
// over with accept(), and only a stream whose hello (hello.h) fits reaches libraft. Outgoing
// connections go to the host and port inside the server address; each direction has its own. Owned
// by Engine, raft thread only. libraft closes it through raw()->close; it must outlive the callback
// of that.
#pragma once

#include <unordered_set>

#include "base/file.h"
#include "raft/hello.h"
#include "raft/libraft.h"

namespace dkron::raft {

class IncomingConnection;
class OutgoingConnection;

class Transport {
 public:
  // From the connection to the last byte of the hello, in either direction.
  static constexpr unsigned kHelloLimitMs = 5000;
  // Incoming connections whose hello is not complete; beyond it new ones are closed.
  static constexpr std::size_t kPendingHellos = 64;

  // `address` is our server address, node_name@host:port.
  Transport(uv_loop_t& loop, Identity identity, const std::string& address);
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  struct raft_uv_transport* raw() { return &raw_; }

  // Takes a connected stream socket (TCP, or one end of a socket pair).
  void accept(UniqueFd connection);

 private:
  Result<void> on_hello(const Hello& hello, uv_stream_t* stream);
  int connect(struct raft_uv_connect* request, const char* address, raft_uv_connect_cb cb);
  void close(raft_uv_transport_close_cb cb);
  void finish_close();

  uv_loop_t& loop_;
  const Identity identity_;
  const std::string hello_;
  struct raft_uv_transport raw_ = {};
  raft_uv_accept_cb accept_cb_ = nullptr;  // Null while libraft does not listen.
  raft_uv_transport_close_cb close_cb_ = nullptr;
  std::unordered_set<OutgoingConnection*> outgoing_;
  std::unordered_set<IncomingConnection*> incoming_;
};

}  // namespace dkron::raft
