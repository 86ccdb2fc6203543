#include "raft/incoming.h"

#include <utility>

#include "base/log.h"
#include "raft/stream.h"

namespace dkron::raft {

IncomingConnection::IncomingConnection(uv_loop_t& loop, uv_stream_t* stream, OnHello on_hello,
                                       OnEnd on_end)
    : loop_(loop), stream_(stream), on_hello_(std::move(on_hello)), on_end_(std::move(on_end)) {}

void IncomingConnection::start(unsigned limit_ms) {
  uv_timer_init(&loop_, &timer_);
  timer_.data = this;
  ++holds_;
  const auto on_timeout = [](uv_timer_t* t) noexcept {
    static_cast<IncomingConnection*>(t->data)->refuse("no hello within the time limit");
  };
  uv_timer_start(&timer_, on_timeout, limit_ms, 0);
  stream_->data = this;
  const auto on_alloc = [](uv_handle_t* h, std::size_t, uv_buf_t* buffer) noexcept {
    auto* self = static_cast<IncomingConnection*>(h->data);
    const std::size_t missing = self->needed_ - self->have_;
    *buffer = uv_buf_init(self->buffer_.data() + self->have_, static_cast<unsigned>(missing));
  };
  if (uv_read_start(stream_, on_alloc, on_read) != 0) refuse("the connection cannot be read");
}

void IncomingConnection::on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t*) noexcept {
  auto* self = static_cast<IncomingConnection*>(stream->data);
  if (count < 0) {
    self->refuse("closed before the hello was complete");
  } else {
    self->on_bytes(static_cast<std::size_t>(count));
  }
}

void IncomingConnection::on_bytes(std::size_t count) {
  have_ += count;
  if (have_ < needed_) return;
  const std::string_view bytes(buffer_.data(), have_);
  auto size = hello_size(bytes);
  if (!size) return refuse(size.error().message);
  needed_ = *size;
  if (have_ < needed_) return;
  auto hello = decode_hello(bytes);
  if (!hello) return refuse(hello.error().message);

  uv_read_stop(stream_);
  stream_->data = nullptr;
  if (auto taken = on_hello_(*hello, stream_); !taken) return refuse(taken.error().message);
  stream_ = nullptr;
  is_over_ = true;
  end_timer();
}

void IncomingConnection::refuse(std::string_view reason) {
  if (is_over_) return;
  is_over_ = true;
  log::warning("raft connection refused", {{"reason", reason}});
  end_timer();
  ++holds_;
  const auto on_closed = [](void* self) noexcept {
    static_cast<IncomingConnection*>(self)->release();
  };
  close_stream(std::exchange(stream_, nullptr), on_closed, this);
}

void IncomingConnection::end_timer() {
  uv_close(reinterpret_cast<uv_handle_t*>(&timer_),
           [](uv_handle_t* h) noexcept { static_cast<IncomingConnection*>(h->data)->release(); });
}

void IncomingConnection::release() {
  if (--holds_ > 0) return;
  on_end_(this);
  delete this;
}

}  // namespace dkron::raft
