#include "raft/transport.h"

#include <memory>
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

}  // namespace

Transport::Transport(uv_loop_t& loop, Setup setup) : loop_(loop), setup_(std::move(setup)) {
  raw_.version = 1;
  raw_.impl = this;
  raw_.init = [](struct raft_uv_transport*, raft_id, const char*) noexcept { return 0; };
  raw_.listen = [](struct raft_uv_transport* t, raft_uv_accept_cb cb) noexcept {
    self_of(t)->accept_cb_ = cb;
    return 0;
  };
  raw_.connect = [](struct raft_uv_transport* t, struct raft_uv_connect* request, raft_id id,
                    const char* address, raft_uv_connect_cb cb) noexcept {
    return self_of(t)->connect_raft(request, id, address, cb);
  };
  raw_.close = [](struct raft_uv_transport* t, raft_uv_transport_close_cb cb) noexcept {
    self_of(t)->close(cb);
  };
}

// ---- Incoming

void Transport::accept(UniqueFd connection) {
  if (is_closing_) return;
  if (accept_cb_ == nullptr) return log_refused("this server is part of no group yet");
  if (incoming_.size() >= kPendingHellos) return log_refused("too many wait for their hello");
  uv_stream_t* stream = open_stream(loop_, std::move(connection));
  if (stream == nullptr) return log_refused("the descriptor is no stream socket");
  IncomingConnection::Handlers handlers;
  handlers.check = [this](const Hello& hello) { return check(hello); };
  handlers.on_stream = [this](const Hello& hello, uv_stream_t* s) { on_stream(hello, s); };
  handlers.on_refused = [this](const std::string& reason) { log_refused(reason); };
  handlers.on_end = [this](IncomingConnection* ended) {
    incoming_.erase(ended);
    finish_close();
  };
  auto* incoming = new IncomingConnection(loop_, stream, std::move(handlers));
  incoming_.insert(incoming);
  incoming->start(kHelloLimitMs);
}

Result<void> Transport::check(const Hello& hello) const {
  if (auto checked = check_hello(hello, identity_); !checked) return checked;
  if (hello.manifest_id) return setup_.snapshots.check(hello);
  return {};
}

void Transport::on_stream(const Hello& hello, uv_stream_t* stream) {
  log::debug("raft connection accepted",
             {{"peer", hello.sender_address}, {"snapshot", hello.manifest_id.has_value()}});
  if (hello.manifest_id) {
    setup_.snapshots.serve(hello, stream);
  } else {
    accept_cb_(&raw_, hello.sender_id, hello.sender_address.c_str(), stream);
  }
}

void Transport::log_refused(const std::string& reason) {
  if (seldom_.may_log(reason)) log::warning("raft connection refused", {{"reason", reason}});
}

// ---- Outgoing

int Transport::connect_raft(struct raft_uv_connect* request, raft_id id, const char* address,
                            raft_uv_connect_cb cb) {
  const NamedAddress named = split_server_address(address);
  connect({id, named.node_name, named.host_port, true}, std::nullopt,
          [request, cb](Result<uv_stream_t*> stream) {
            const auto failure = [&] {
              return stream.error().code == ErrorCode::Canceled ? RAFT_CANCELED : RAFT_NOCONNECTION;
            };
            cb(request, stream ? *stream : nullptr, stream ? 0 : failure());
          });
  return 0;
}

void Transport::connect(const Server& server, std::optional<std::uint64_t> manifest_id,
                        OnConnected done) {
  const std::uint64_t number = next_outgoing_++;
  const Hello hello{identity_.cluster_id, identity_.recovery_epoch, server_id(identity_.node_name),
                    setup_.address, manifest_id};
  auto on_done = [this, server, done = std::move(done)](Result<uv_stream_t*> stream) {
    if (!stream) log_failure(server, stream.error());
    done(stream);
  };
  auto* outgoing = new OutgoingConnection(loop_, encode_hello(hello), std::move(on_done),
                                          [this, number](OutgoingConnection*) {
                                            outgoing_.erase(number);
                                            finish_close();
                                          });
  outgoing_.emplace(number, outgoing);
  outgoing->start(kConnectLimitMs);
  if (setup_.dial == nullptr) {
    const auto target = find_host_port(server.address);
    if (target) return outgoing->dial_self(*target);
    return outgoing->give_up({ErrorCode::Unavailable, "it has no usable address"});
  }
  // The answer may come at any time and on any thread. When this object is gone by then, so is the
  // raft thread, and the task is destroyed with the connection inside.
  setup_.dial(server, [this, number, post = setup_.post](Result<UniqueFd> connection) {
    auto shared = std::make_shared<Result<UniqueFd>>(std::move(connection));
    post([this, number, shared] {
      const auto found = outgoing_.find(number);
      if (found != outgoing_.end()) found->second->on_dialed(std::move(*shared));
    });
  });
}

void Transport::log_failure(const Server& server, const Error& error) {
  if (error.code == ErrorCode::Canceled) return;
  const std::string peer = server_address(server.node_name, server.address);
  if (!seldom_.may_log(peer + " " + error.message)) return;
  if (error.code == ErrorCode::Conflict) {
    log::warning("raft peer refuses this server", {{"peer", peer}, {"reason", error}});
  } else {
    log::info("raft peer not connected", {{"peer", peer}, {"reason", error}});
  }
}

// ---- End

void Transport::close(raft_uv_transport_close_cb cb) {
  is_closing_ = true;
  accept_cb_ = nullptr;
  close_cb_ = cb;
  const Error canceled{ErrorCode::Canceled, "this server is shutting down"};
  for (const auto& [number, outgoing] : outgoing_) outgoing->give_up(canceled);
  for (IncomingConnection* incoming : incoming_) incoming->refuse(canceled.message);
  finish_close();
}

void Transport::finish_close() {
  if (close_cb_ == nullptr || !outgoing_.empty() || !incoming_.empty()) return;
  std::exchange(close_cb_, nullptr)(&raw_);
}

}  // namespace dkron::raft
