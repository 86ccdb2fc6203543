#include "raft/transport.h"

#include <utility>

#include "base/log.h"
#include "raft/address.h"
#include "raft/incoming.h"
#include "raft/outgoing.h"
#include "raft/stream.h"

namespace dkron::raft {
namespace {

Transport* self_of(struct raft_uv_transport* raw) {
  return static_cast<Transport*>(raw->impl);
}

std::string our_hello(const Identity& identity, const std::string& address) {
  return encode_hello(
      {identity.cluster_id, identity.recovery_epoch, server_id(identity.node_name), address});
}

}  // namespace

Transport::Transport(uv_loop_t& loop, Identity identity, const std::string& address)
    : loop_(loop), identity_(std::move(identity)), hello_(our_hello(identity_, address)) {
  raw_.version = 1;
  raw_.impl = this;
  raw_.init = [](struct raft_uv_transport*, raft_id, const char*) noexcept { return 0; };
  raw_.listen = [](struct raft_uv_transport* t, raft_uv_accept_cb cb) noexcept {
    self_of(t)->accept_cb_ = cb;
    return 0;
  };
  raw_.connect = [](struct raft_uv_transport* t, struct raft_uv_connect* request, raft_id,
                    const char* peer, raft_uv_connect_cb cb) noexcept {
    return self_of(t)->connect(request, peer, cb);
  };
  raw_.close = [](struct raft_uv_transport* t, raft_uv_transport_close_cb cb) noexcept {
    self_of(t)->close(cb);
  };
}

void Transport::accept(UniqueFd connection) {
  if (accept_cb_ == nullptr) return;
  if (incoming_.size() >= kPendingHellos) {
    log::warning("raft connection refused", {{"reason", "too many wait for their hello"}});
    return;
  }
  uv_stream_t* stream = open_stream(loop_, std::move(connection));
  if (stream == nullptr) {
    log::warning("raft connection refused", {{"reason", "the descriptor is no stream socket"}});
    return;
  }
  auto* incoming = new IncomingConnection(
      loop_, stream, [this](const Hello& hello, uv_stream_t* s) { return on_hello(hello, s); },
      [this](IncomingConnection* ended) {
        incoming_.erase(ended);
        finish_close();
      });
  incoming_.insert(incoming);
  incoming->start(kHelloLimitMs);
}

Result<void> Transport::on_hello(const Hello& hello, uv_stream_t* stream) {
  if (auto checked = check_hello(hello, identity_); !checked) {
    return fail(checked.error().code, hello.sender_address + ": " + checked.error().message);
  }
  log::debug("raft connection accepted", {{"peer", hello.sender_address}});
  accept_cb_(&raw_, hello.sender_id, hello.sender_address.c_str(), stream);
  return {};
}

int Transport::connect(struct raft_uv_connect* request, const char* address,
                       raft_uv_connect_cb cb) {
  const auto target = find_host_port(split_server_address(address).host_port);
  if (!target) {
    log::error("raft peer has no usable address", {{"address", address}});
    return RAFT_NOCONNECTION;
  }
  auto* outgoing =
      new OutgoingConnection(loop_, hello_, {request, cb}, [this](OutgoingConnection* ended) {
        outgoing_.erase(ended);
        finish_close();
      });
  outgoing_.insert(outgoing);
  outgoing->start(*target, kHelloLimitMs);
  return 0;
}

void Transport::close(raft_uv_transport_close_cb cb) {
  accept_cb_ = nullptr;
  close_cb_ = cb;
  for (OutgoingConnection* outgoing : outgoing_) outgoing->give_up(RAFT_CANCELED);
  for (IncomingConnection* incoming : incoming_) incoming->refuse("this server is shutting down");
  finish_close();
}

void Transport::finish_close() {
  if (close_cb_ == nullptr || !outgoing_.empty() || !incoming_.empty()) return;
  std::exchange(close_cb_, nullptr)(&raw_);
}

}  // namespace dkron::raft
