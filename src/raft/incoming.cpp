#include "raft/incoming.h"

#include <utility>

#include "raft/stream.h"

namespace dkron::raft {

IncomingConnection::IncomingConnection(uv_loop_t& loop, uv_stream_t* stream, Handlers handlers)
    : loop_(loop), stream_(stream), handlers_(std::move(handlers)) {}

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
  const Result<void> checked = handlers_.check(*hello);
  const bool is_answered = send_answer(checked);
  if (!checked) return refuse(hello->sender_address + ": " + checked.error().message);
  if (!is_answered) return refuse(hello->sender_address + ": the answer cannot be sent");
  is_over_ = true;
  end_timer();
  handlers_.on_stream(*hello, std::exchange(stream_, nullptr));
}

// Nothing was sent on this connection yet, so the few bytes fit; a peer that has gone is no news.
bool IncomingConnection::send_answer(const Result<void>& answer) {
  std::string bytes = encode_answer(answer);
  const uv_buf_t buffer = uv_buf_init(bytes.data(), static_cast<unsigned>(bytes.size()));
  return uv_try_write(stream_, &buffer, 1) == static_cast<int>(bytes.size());
}

void IncomingConnection::refuse(const std::string& reason) {
  if (is_over_) return;
  is_over_ = true;
  handlers_.on_refused(reason);
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
  handlers_.on_end(this);
  delete this;
}

}  // namespace dkron::raft
