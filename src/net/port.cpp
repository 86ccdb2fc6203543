#include "net/port.h"

#include <sys/socket.h>

#include <unordered_map>

#include "base/log.h"
#include "net/listener.h"
#include "net/log_limit.h"
#include "net/tls_stream.h"

namespace dkron::net {
namespace {

class SharedPort final : public Port {
 public:
  SharedPort(Loop& loop, Options options, Handlers handlers)
      : loop_(loop), options_(std::move(options)), handlers_(std::move(handlers)) {}

  Result<void> open() {
    auto listener = Listener::open(
        loop_, {options_.host, options_.port}, "port",
        [this](UniqueFd fd, std::string peer) { on_connection(std::move(fd), std::move(peer)); });
    if (!listener) return fail(listener.error());
    listener_ = std::move(*listener);
    return {};
  }

  std::uint16_t port() const override { return listener_->port(); }

 private:
  // A connection whose first byte is not known yet.
  struct Pending {
    std::string peer;
    UniqueFd connection;  // Its plain side; not open until the handshake is done.
    std::unique_ptr<TlsHandshake> handshake;
    std::unique_ptr<Loop::Watch> watch;
    std::unique_ptr<Timer> timer;
  };

  void on_connection(UniqueFd fd, std::string peer) {
    const std::uint64_t id = ++last_id_;
    Pending& pending = pending_[id];
    pending.peer = std::move(peer);
    pending.timer = loop_.make_timer();
    pending.timer->start(options_.first_byte_limit, [this, id] {
      log::debug("port: a connection said nothing", {{"peer", pending_.at(id).peer}});
      drop(id);
    });
    if (pending_.size() >= kPendingLimit) listener_->pause();
    if (options_.tls == nullptr) {
      pending.connection = std::move(fd);
      await_first_byte(id);
      return;
    }
    pending.handshake =
        start_tls(loop_, *options_.tls, std::move(fd), {true, "h2", ""},
                  [this, id](Result<UniqueFd> plain) { on_handshake(id, std::move(plain)); });
  }

  void on_handshake(std::uint64_t id, Result<UniqueFd> plain) {
    Pending& pending = pending_.at(id);
    if (!plain) {
      const std::string host = pending.peer.substr(0, pending.peer.rfind(':'));
      if (!plain.error().message.empty() && log_limit_.admits(host + plain.error().message)) {
        log::warning("port: a connection was refused",
                     {{"peer", pending.peer}, {"error", plain.error()}});
      }
      drop(id);
      return;
    }
    pending.connection = std::move(*plain);
    await_first_byte(id);
  }

  void await_first_byte(std::uint64_t id) {
    Pending& pending = pending_.at(id);
    pending.watch =
        loop_.watch_readable(pending.connection.get(), [this, id] { on_first_byte(id); });
  }

  void on_first_byte(std::uint64_t id) {
    Pending& pending = pending_.at(id);
    pending.watch = nullptr;
    char byte = 0;
    const ssize_t size = ::recv(pending.connection.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
      await_first_byte(id);
      return;
    }
    if (size <= 0) {  // A probe.
      drop(id);
      return;
    }
    const Handler& handler = byte == 'D' ? handlers_.raft : handlers_.grpc;
    UniqueFd connection = std::move(pending.connection);
    std::string peer = std::move(pending.peer);
    drop(id);
    if ((byte == 'P' || byte == 'D') && handler != nullptr) {
      handler(std::move(connection), std::move(peer));
      return;
    }
    log::debug(
        "port: nobody is there for a connection",
        {{"peer", peer}, {"first_byte", static_cast<int>(static_cast<unsigned char>(byte))}});
  }

  void drop(std::uint64_t id) {
    pending_.erase(id);
    if (pending_.size() < kPendingLimit) listener_->resume();
  }

  Loop& loop_;
  const Options options_;
  const Handlers handlers_;
  std::unique_ptr<Listener> listener_;
  std::uint64_t last_id_ = 0;
  std::unordered_map<std::uint64_t, Pending> pending_;
  LogLimit log_limit_;
};

}  // namespace

Result<std::unique_ptr<Port>> Port::listen(Loop& loop, Options options, Handlers handlers) {
  auto port = std::make_unique<SharedPort>(loop, std::move(options), std::move(handlers));
  if (auto opened = port->open(); !opened) return fail(opened.error());
  return port;
}

}  // namespace dkron::net
