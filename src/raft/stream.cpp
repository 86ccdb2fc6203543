#include "raft/stream.h"

#include <sys/socket.h>

#include <memory>

#include "base/assert.h"

namespace dkron::raft {
namespace {

constexpr unsigned kKeepAliveSeconds = 15;

template <class Handle>
Handle* allocate() {
  auto* handle = static_cast<Handle*>(raft_malloc(sizeof(Handle)));
  DK_ASSERT(handle != nullptr);
  return handle;
}

struct Closing {
  void (*done)(void*) noexcept;
  void* context;
};

void on_closed(uv_handle_t* handle) noexcept {
  const std::unique_ptr<Closing> closing(static_cast<Closing*>(handle->data));
  raft_free(handle);
  if (closing->done != nullptr) closing->done(closing->context);
}

bool is_local(int fd) {
  sockaddr_storage address = {};
  socklen_t size = sizeof address;
  return ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0 &&
         address.ss_family == AF_UNIX;
}

}  // namespace

uv_tcp_t* make_tcp_stream(uv_loop_t& loop) {
  auto* tcp = allocate<uv_tcp_t>();
  const int initialised = uv_tcp_init(&loop, tcp);
  DK_ASSERT(initialised == 0);  // Without flags it makes no socket yet.
  return tcp;
}

uv_stream_t* open_stream(uv_loop_t& loop, UniqueFd socket) {
  uv_stream_t* stream = nullptr;
  int status = 0;
  if (is_local(socket.get())) {
    auto* pipe = allocate<uv_pipe_t>();
    status = uv_pipe_init(&loop, pipe, 0);
    DK_ASSERT(status == 0);
    status = uv_pipe_open(pipe, socket.get());
    stream = reinterpret_cast<uv_stream_t*>(pipe);
  } else {
    uv_tcp_t* tcp = make_tcp_stream(loop);
    status = uv_tcp_open(tcp, socket.get());
    if (status == 0) tune_tcp(tcp);
    stream = reinterpret_cast<uv_stream_t*>(tcp);
  }
  if (status == 0) {
    socket.release();
    return stream;
  }
  close_stream(stream);
  return nullptr;
}

void tune_tcp(uv_tcp_t* stream) {
  uv_tcp_nodelay(stream, 1);
  uv_tcp_keepalive(stream, 1, kKeepAliveSeconds);
}

void close_stream(uv_stream_t* stream, void (*done)(void*) noexcept, void* context) {
  auto* handle = reinterpret_cast<uv_handle_t*>(stream);
  handle->data = new Closing{done, context};
  uv_close(handle, on_closed);
}

}  // namespace dkron::raft
