// One accepted connection until its hello is complete and found good, or the connection is closed.
//
// Answers the hello. Reads not a byte beyond it: what follows belongs to who takes the stream.
// Deletes itself after its last libuv callback and then calls `on_end`. Raft thread only.
#pragma once

#include <array>
#include <functional>

#include "raft/hello.h"
#include "raft/libraft.h"

namespace dkron::raft {

class IncomingConnection {
 public:
  // Whether the sender may talk to us; the reason why not is told to it.
  using Check = std::function<Result<void>(const Hello&)>;
  // Takes the stream, after a welcome.
  using OnStream = std::function<void(const Hello&, uv_stream_t*)>;
  using OnRefused = std::function<void(const std::string& reason)>;
  using OnEnd = std::function<void(IncomingConnection*)>;

  struct Handlers {
    Check check;
    OnStream on_stream;
    OnRefused on_refused;
    OnEnd on_end;
  };

  IncomingConnection(uv_loop_t& loop, uv_stream_t* stream, Handlers handlers);
  IncomingConnection(const IncomingConnection&) = delete;
  IncomingConnection& operator=(const IncomingConnection&) = delete;

  void start(unsigned limit_ms);
  void refuse(const std::string& reason);

 private:
  ~IncomingConnection() = default;
  static void on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer) noexcept;
  void on_bytes(std::size_t count);
  bool send_answer(const Result<void>& answer);
  void end_timer();
  void release();

  uv_loop_t& loop_;
  uv_stream_t* stream_;
  Handlers handlers_;
  uv_timer_t timer_;
  std::array<char, kHelloLimitBytes> buffer_;
  std::size_t have_ = 0;
  std::size_t needed_ = kHelloHeadBytes;
  int holds_ = 0;  // libuv handles that may still call back.
  bool is_over_ = false;
};

}  // namespace dkron::raft
