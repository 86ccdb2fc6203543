// A libuv stream that libraft may own: it uv_close()s and raft_free()s what it is given, so the
// handle is allocated with raft_malloc. Raft thread only.
#pragma once

#include "base/file.h"
#include "raft/libraft.h"

namespace dkron::raft {

// An unconnected TCP handle.
uv_tcp_t* make_tcp_stream(uv_loop_t& loop);

// Wraps a connected socket, TCP or local; takes the descriptor in any case. Null when libuv
// refuses.
uv_stream_t* open_stream(uv_loop_t& loop, UniqueFd socket);

// Sends small frames at once, and finds peers whose machine is gone.
void tune_tcp(uv_tcp_t* stream);

// Closes the handle; then frees it and, when not null, calls `done(context)`.
void close_stream(uv_stream_t* stream, void (*done)(void*) noexcept = nullptr,
                  void* context = nullptr);

}  // namespace dkron::raft
