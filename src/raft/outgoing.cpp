#include "raft/outgoing.h"

#include <netdb.h>

#include <charconv>
#include <utility>

#include "raft/stream.h"

namespace dkron::raft {
namespace {

uv_stream_t* as_stream(uv_tcp_t* tcp) {
  return reinterpret_cast<uv_stream_t*>(tcp);
}

}  // namespace

OutgoingConnection::OutgoingConnection(uv_loop_t& loop, std::string hello, Request request,
                                       OnEnd on_end)
    : loop_(loop), hello_(std::move(hello)), request_(request), on_end_(std::move(on_end)) {
  timer_.data = resolve_.data = connect_.data = write_.data = this;
}

void OutgoingConnection::start(const HostPort& target, unsigned limit_ms) {
  uv_timer_init(&loop_, &timer_);
  ++holds_;
  const auto on_timeout = [](uv_timer_t* t) noexcept {
    static_cast<OutgoingConnection*>(t->data)->give_up(RAFT_NOCONNECTION);
  };
  uv_timer_start(&timer_, on_timeout, limit_ms, 0);
  stream_ = make_tcp_stream(loop_);
  if (begin(target) != 0) give_up(RAFT_NOCONNECTION);
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
    if (!self->is_over_ && (failed != 0 || self->connect_to(found->ai_addr) != 0)) {
      self->give_up(RAFT_NOCONNECTION);
    }
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
    if (!self->is_over_ && failed == 0) self->send_hello();
    if (!self->is_over_ && failed != 0) self->give_up(RAFT_NOCONNECTION);
    self->release();
  };
  const int status = uv_tcp_connect(&connect_, stream_, address, on_connected);
  if (status == 0) ++holds_;
  return status;
}

void OutgoingConnection::send_hello() {
  tune_tcp(stream_);
  const uv_buf_t buffer = uv_buf_init(hello_.data(), static_cast<unsigned>(hello_.size()));
  const auto on_written = [](uv_write_t* w, int failed) noexcept {
    auto* self = static_cast<OutgoingConnection*>(w->data);
    if (!self->is_over_ && failed == 0) self->hand_over();
    if (!self->is_over_ && failed != 0) self->give_up(RAFT_NOCONNECTION);
    self->release();
  };
  if (uv_write(&write_, as_stream(stream_), &buffer, 1, on_written) != 0) {
    give_up(RAFT_NOCONNECTION);
    return;
  }
  ++holds_;
}

void OutgoingConnection::hand_over() {
  is_over_ = true;
  end_timer();
  request_.callback(request_.request, as_stream(std::exchange(stream_, nullptr)), 0);
}

void OutgoingConnection::give_up(int raft_status) {
  if (is_over_) return;
  is_over_ = true;
  status_ = raft_status;
  end_timer();
  if (is_resolving_) uv_cancel(reinterpret_cast<uv_req_t*>(&resolve_));
  ++holds_;
  const auto on_closed = [](void* self) noexcept {
    static_cast<OutgoingConnection*>(self)->release();
  };
  close_stream(as_stream(std::exchange(stream_, nullptr)), on_closed, this);
}

void OutgoingConnection::end_timer() {
  uv_close(reinterpret_cast<uv_handle_t*>(&timer_),
           [](uv_handle_t* h) noexcept { static_cast<OutgoingConnection*>(h->data)->release(); });
}

void OutgoingConnection::release() {
  if (--holds_ > 0) return;
  if (status_ != 0) request_.callback(request_.request, nullptr, status_);
  on_end_(this);
  delete this;
}

}  // namespace dkron::raft
