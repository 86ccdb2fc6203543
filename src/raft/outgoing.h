// One connection to another server: dial, send the hello, read the answer, hand the stream over.
//
// Dials by Options::dial, or by itself the host and port of the address. Deletes itself after its
// last libuv callback and then calls `on_end`. `on_done` comes once, never from inside start().
// Raft thread only.
#pragma once

#include <array>
#include <functional>
#include <string>

#include "base/file.h"
#include "raft/address.h"
#include "raft/hello.h"
#include "raft/libraft.h"

namespace dkron::raft {

class OutgoingConnection {
 public:
  // The stream was accepted by the other side and is the callee's; Conflict: it refused, with its
  // text; Canceled: give_up() was called with that; Unavailable: all else.
  using OnDone = std::function<void(Result<uv_stream_t*>)>;
  using OnEnd = std::function<void(OutgoingConnection*)>;

  OutgoingConnection(uv_loop_t& loop, std::string hello, OnDone on_done, OnEnd on_end);
  OutgoingConnection(const OutgoingConnection&) = delete;
  OutgoingConnection& operator=(const OutgoingConnection&) = delete;

  // Gives up after `limit_ms`. Then one of the two: dial_self(), or on_dialed() at some time.
  void start(unsigned limit_ms);
  void dial_self(const HostPort& target);
  void on_dialed(Result<UniqueFd> connection);
  // Reports the error soon, unless the stream was handed over already.
  void give_up(Error error);

 private:
  ~OutgoingConnection() = default;
  int begin(const HostPort& target);
  int connect_to(const sockaddr* address);
  void send_hello();
  void read_answer();
  static void on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer) noexcept;
  void on_bytes(std::size_t count);
  void hand_over();
  void end_timer();
  void release();

  uv_loop_t& loop_;
  std::string hello_;
  OnDone on_done_;
  OnEnd on_end_;
  uv_timer_t timer_;
  uv_getaddrinfo_t resolve_;
  uv_connect_t connect_;
  uv_write_t write_;
  uv_stream_t* stream_ = nullptr;
  std::array<char, 1 + kRefusalLimitBytes> answer_;
  std::size_t have_ = 0;
  std::size_t needed_ = 1;
  int holds_ = 0;  // libuv objects that may still call back.
  bool is_resolving_ = false;
  bool is_over_ = false;
  std::optional<Error> error_;
};

}  // namespace dkron::raft
