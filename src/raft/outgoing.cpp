#include "raft/outgoing.h"

#include <netdb.h>

#include <charconv>
#include <utility>

#include "raft/stream.h"

namespace dkron::raft {
namespace {

Error unavailable(std::string text) {
  return {ErrorCode::Unavailable, std::move(text)};
}

Error uv_error(int status) {
  return unavailable(uv_strerror(status));
}

}  // namespace

OutgoingConnection::OutgoingConnection(uv_loop_t& loop, std::string hello, OnDone on_done,
                                       OnEnd on_end)
    : loop_(loop),
      hello_(std::move(hello)),
      on_done_(std::move(on_done)),
      on_end_(std::move(on_end)) {
  timer_.data = resolve_.data = connect_.data = write_.data = this;
}

void OutgoingConnection::start(unsigned limit_ms) {
  uv_timer_init(&loop_, &timer_);
  ++holds_;
  const auto on_timeout = [](uv_timer_t* t) noexcept {
    auto* self = static_cast<OutgoingConnection*>(t->data);
    self->give_up(unavailable(self->stream_ == nullptr ? "it cannot be reached in time"
                                                       : "it does not answer the hello"));
  };
  uv_timer_start(&timer_, on_timeout, limit_ms, 0);
}

void OutgoingConnection::dial_self(const HostPort& target) {
  stream_ = reinterpret_cast<uv_stream_t*>(make_tcp_stream(loop_));
  if (const int status = begin(target); status != 0) give_up(uv_error(status));
}

void OutgoingConnection::on_dialed(Result<UniqueFd> connection) {
  if (is_over_) return;
  if (!connection) return give_up({ErrorCode::Unavailable, connection.error().message});
  stream_ = open_stream(loop_, std::move(*connection));
  if (stream_ == nullptr) return give_up(unavailable("what was dialed is no stream socket"));
  send_hello();
}

// Addresses in numbers need no resolver, whose threads libraft shares for its disk work.
int OutgoingConnection::begin(const HostPort& target) {
  int port = 0;
  std::from_chars(target.port.data(), target.port.data() + target.port.size(), port);
  sockaddr_in v4 = {};
  if (uv_ip4_addr(target.host.c_str(), port, &v4) == 0) {
    return connect_to(reinterpret_cast<const sockaddr*>(&v4));
  }
  sockaddr_in6 v6 = {};
  if (uv_ip6_addr(target.host.c_str(), port, &v6) == 0) {
    return connect_to(reinterpret_cast<const sockaddr*>(&v6));
  }

  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  const auto on_resolved = [](uv_getaddrinfo_t* r, int failed, addrinfo* found) noexcept {
    auto* self = static_cast<OutgoingConnection*>(r->data);
    self->is_resolving_ = false;
    if (!self->is_over_ && failed == 0) failed = self->connect_to(found->ai_addr);
    if (!self->is_over_ && failed != 0) self->give_up(uv_error(failed));
    if (found != nullptr) uv_freeaddrinfo(found);
    self->release();
  };
  const int status = uv_getaddrinfo(&loop_, &resolve_, on_resolved, target.host.c_str(),
                                    target.port.c_str(), &hints);
  if (status != 0) return status;
  is_resolving_ = true;
  ++holds_;
  return 0;
}

int OutgoingConnection::connect_to(const sockaddr* address) {
  const auto on_connected = [](uv_connect_t* c, int failed) noexcept {
    auto* self = static_cast<OutgoingConnection*>(c->data);
    if (!self->is_over_ && failed == 0) {
      tune_tcp(reinterpret_cast<uv_tcp_t*>(self->stream_));
      self->send_hello();
    }
    if (!self->is_over_ && failed != 0) self->give_up(uv_error(failed));
    self->release();
  };
  const int status =
      uv_tcp_connect(&connect_, reinterpret_cast<uv_tcp_t*>(stream_), address, on_connected);
  if (status == 0) ++holds_;
  return status;
}

void OutgoingConnection::send_hello() {
  const uv_buf_t buffer = uv_buf_init(hello_.data(), static_cast<unsigned>(hello_.size()));
  const auto on_written = [](uv_write_t* w, int failed) noexcept {
    auto* self = static_cast<OutgoingConnection*>(w->data);
    if (!self->is_over_ && failed == 0) self->read_answer();
    if (!self->is_over_ && failed != 0) self->give_up(uv_error(failed));
    self->release();
  };
  if (const int status = uv_write(&write_, stream_, &buffer, 1, on_written); status != 0) {
    return give_up(uv_error(status));
  }
  ++holds_;
}

// Not a byte beyond the answer: what follows belongs to whom the stream is handed over.
void OutgoingConnection::read_answer() {
  stream_->data = this;
  const auto on_alloc = [](uv_handle_t* h, std::size_t, uv_buf_t* buffer) noexcept {
    auto* self = static_cast<OutgoingConnection*>(h->data);
    *buffer = uv_buf_init(self->answer_.data() + self->have_,
                          static_cast<unsigned>(self->needed_ - self->have_));
  };
  if (const int status = uv_read_start(stream_, on_alloc, on_read); status != 0) {
    give_up(uv_error(status));
  }
}

void OutgoingConnection::on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t*) noexcept {
  auto* self = static_cast<OutgoingConnection*>(stream->data);
  if (count < 0) {
    self->give_up(unavailable("it closed the connection without an answer"));
  } else {
    self->on_bytes(static_cast<std::size_t>(count));
  }
}

void OutgoingConnection::on_bytes(std::size_t count) {
  have_ += count;
  if (have_ < needed_) return;
  needed_ = 1 + static_cast<unsigned char>(answer_[0]);
  if (needed_ == 1) return hand_over();
  if (have_ == needed_) {
    give_up({ErrorCode::Conflict, std::string(answer_.data() + 1, needed_ - 1)});
  }
}

void OutgoingConnection::hand_over() {
  is_over_ = true;
  uv_read_stop(stream_);
  stream_->data = nullptr;
  end_timer();
  on_done_(std::exchange(stream_, nullptr));
}

void OutgoingConnection::give_up(Error error) {
  if (is_over_) return;
  is_over_ = true;
  error_ = std::move(error);
  end_timer();
  if (is_resolving_) uv_cancel(reinterpret_cast<uv_req_t*>(&resolve_));
  if (stream_ == nullptr) return;
  ++holds_;
  const auto on_closed = [](void* self) noexcept {
    static_cast<OutgoingConnection*>(self)->release();
  };
  close_stream(std::exchange(stream_, nullptr), on_closed, this);
}

void OutgoingConnection::end_timer() {
  uv_close(reinterpret_cast<uv_handle_t*>(&timer_),
           [](uv_handle_t* h) noexcept { static_cast<OutgoingConnection*>(h->data)->release(); });
}

void OutgoingConnection::release() {
  if (--holds_ > 0) return;
  if (error_) on_done_(fail(*error_));
  on_end_(this);
  delete this;
}

}  // namespace dkron::raft
