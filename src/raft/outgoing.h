// One connect request of libraft: resolve, connect, send the hello, hand the stream over.
//
// Deletes itself after its last libuv callback and then calls `on_end`. The request's callback
// comes once, never from inside start(). Raft thread only.
#pragma once

#include <functional>
#include <string>

#include "raft/address.h"
#include "raft/libraft.h"

namespace dkron::raft {

class OutgoingConnection {
 public:
  struct Request {
    struct raft_uv_connect* request = nullptr;
    raft_uv_connect_cb callback = nullptr;
  };
  using OnEnd = std::function<void(OutgoingConnection*)>;

  OutgoingConnection(uv_loop_t& loop, std::string hello, Request request, OnEnd on_end);
  OutgoingConnection(const OutgoingConnection&) = delete;
  OutgoingConnection& operator=(const OutgoingConnection&) = delete;

  // Gives up with RAFT_NOCONNECTION after `limit_ms`.
  void start(const HostPort& target, unsigned limit_ms);
  // Reports `raft_status` soon, unless the stream was handed over already.
  void give_up(int raft_status);

 private:
  ~OutgoingConnection() = default;
  int begin(const HostPort& target);
  int connect_to(const sockaddr* address);
  void send_hello();
  void hand_over();
  void end_timer();
  void release();

  uv_loop_t& loop_;
  std::string hello_;
  Request request_;
  OnEnd on_end_;
  uv_timer_t timer_;
  uv_getaddrinfo_t resolve_;
  uv_connect_t connect_;
  uv_write_t write_;
  uv_tcp_t* stream_ = nullptr;
  int holds_ = 0;  // libuv objects that may still call back.
  bool is_resolving_ = false;
  bool is_over_ = false;
  int status_ = 0;
};

}  // namespace dkron::raft
