// One accepted connection until its hello is complete and found good, or the connection is closed.
//
// Reads not a byte beyond the hello: what follows belongs to libraft. Deletes itself after its last
// libuv callback and then calls `on_end`. Raft thread only.
#pragma once

#include <array>
#include <functional>

#include "raft/hello.h"
#include "raft/libraft.h"

namespace dkron::raft {

class IncomingConnection {
 public:
  // Takes the stream when the sender may talk to us; otherwise the reason why not.
  using OnHello = std::function<Result<void>(const Hello&, uv_stream_t*)>;
  using OnEnd = std::function<void(IncomingConnection*)>;

  IncomingConnection(uv_loop_t& loop, uv_stream_t* stream, OnHello on_hello, OnEnd on_end);
  IncomingConnection(const IncomingConnection&) = delete;
  IncomingConnection& operator=(const IncomingConnection&) = delete;

  void start(unsigned limit_ms);
  void refuse(std::string_view reason);

 private:
  ~IncomingConnection() = default;
  static void on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer) noexcept;
  void on_bytes(std::size_t count);
  void end_timer();
  void release();

  uv_loop_t& loop_;
  uv_stream_t* stream_;
  OnHello on_hello_;
  OnEnd on_end_;
  uv_timer_t timer_;
  std::array<char, kHelloHeadBytes + kAddressLimitBytes> buffer_;
  std::size_t have_ = 0;
  std::size_t needed_ = kHelloHeadBytes;
  int holds_ = 0;  // libuv handles that may still call back.
  bool is_over_ = false;
};

}  // namespace dkron::raft
