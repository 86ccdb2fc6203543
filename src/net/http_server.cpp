#include "net/http_server.h"

#include <unordered_map>

#include "base/log.h"
#include "net/http_connection.h"
#include "net/listener.h"
#include "net/log_limit.h"
#include "net/tls_stream.h"

namespace dkron::net {
namespace {

// Refused clients that are still being told so; beyond it they are closed without a word.
constexpr std::size_t kRefusedLimit = 256;

class ListeningServer final : public HttpServer {
 public:
  ListeningServer(Loop& loop, HttpServerOptions options, Handler handler)
      : host_{loop,
              std::move(options),
              std::move(handler),
              {},
              std::make_shared<LoopLink>(),
              {},
              false,
              {}} {
    host_.limits = {host_.options.header_limit_bytes, host_.options.body_limit_bytes,
                    host_.options.body_limit};
    host_.link->post = loop.poster();
    host_.on_closed = [this](HttpConnection* connection) { on_closed(connection); };
  }
  ~ListeningServer() override {
    stop_callbacks_.clear();
    listener_ = nullptr;
    handshakes_.clear();
    for (const auto& connection : all_connections()) connection->close();
  }

  Result<void> open();

  std::uint16_t port() const override { return port_; }
  std::size_t connections() const override {
    return connections_.size() + handshakes_.size() - refused_;
  }
  void stop(std::function<void()> stopped) override;

 private:
  std::vector<std::shared_ptr<HttpConnection>> all_connections() const;
  void admit(UniqueFd fd, std::string peer);
  void shake_hands(UniqueFd fd, std::string peer);
  void on_handshake(std::uint64_t id, Result<UniqueFd> plain);
  void serve(UniqueFd fd, std::string peer, bool is_full);
  void on_closed(HttpConnection* connection);
  void report_stopped();

  ConnectionHost host_;
  std::unique_ptr<Listener> listener_;
  std::uint16_t port_ = 0;
  bool is_ipv6_ = false;
  std::size_t refused_ = 0;
  // Connections on their way to TLS. Behind it they are like any other: the plain end of a socket
  // pair costs a copy and spares HttpConnection a second kind of stream.
  struct Handshake {
    std::string peer;
    std::unique_ptr<TlsHandshake> handshake;
    std::unique_ptr<Timer> timer;
  };
  std::unordered_map<std::uint64_t, Handshake> handshakes_;
  std::uint64_t last_handshake_ = 0;
  LogLimit log_limit_;
  std::unordered_map<HttpConnection*, std::shared_ptr<HttpConnection>> connections_;
  std::vector<std::function<void()>> stop_callbacks_;
};

Result<void> ListeningServer::open() {
  auto listener = Listener::open(
      host_.loop, {host_.options.host, host_.options.port}, "http",
      [this](UniqueFd fd, std::string peer) { admit(std::move(fd), std::move(peer)); });
  if (!listener) return fail(std::move(listener.error()));
  listener_ = std::move(*listener);
  port_ = listener_->port();
  is_ipv6_ = listener_->is_ipv6();
  return {};
}

void ListeningServer::admit(UniqueFd fd, std::string peer) {
  host_.link->loop_thread = std::this_thread::get_id();
  const bool is_full = connections() >= host_.options.connection_limit;
  if (is_full && (refused_ >= kRefusedLimit || host_.options.tls != nullptr)) return;
  if (host_.options.tls != nullptr) {
    shake_hands(std::move(fd), std::move(peer));
  } else {
    serve(std::move(fd), std::move(peer), is_full);
  }
}

void ListeningServer::shake_hands(UniqueFd fd, std::string peer) {
  const std::uint64_t id = ++last_handshake_;
  Handshake& one = handshakes_[id];
  one.peer = std::move(peer);
  one.timer = host_.loop.make_timer();
  one.timer->start(host_.options.request_timeout, [this, id] { handshakes_.erase(id); });
  one.handshake =
      start_tls(host_.loop, *host_.options.tls, std::move(fd), {true, "http/1.1", ""},
                [this, id](Result<UniqueFd> plain) { on_handshake(id, std::move(plain)); });
}

void ListeningServer::on_handshake(std::uint64_t id, Result<UniqueFd> plain) {
  const std::string peer = handshakes_.at(id).peer;
  handshakes_.erase(id);
  if (plain) {
    serve(std::move(*plain), peer, false);
    return;
  }
  if (!plain.error().message.empty() &&
      log_limit_.admits(peer.substr(0, peer.rfind(':')) + plain.error().message)) {
    log::warning("http: a connection was refused", {{"peer", peer}, {"error", plain.error()}});
  }
}

void ListeningServer::serve(UniqueFd fd, std::string peer, bool is_full) {
  auto connection = make_connection(host_, std::move(fd), is_ipv6_, std::move(peer));
  if (connection == nullptr) return;
  connections_.emplace(connection.get(), connection);
  if (is_full) {
    ++refused_;
    connection->refuse();
  } else {
    connection->start();
  }
}

void ListeningServer::on_closed(HttpConnection* connection) {
  if (connection->is_refused()) --refused_;
  connections_.erase(connection);
  if (host_.is_stopping && connections_.empty()) report_stopped();
}

std::vector<std::shared_ptr<HttpConnection>> ListeningServer::all_connections() const {
  std::vector<std::shared_ptr<HttpConnection>> all;
  for (const auto& [key, connection] : connections_) all.push_back(connection);
  return all;
}

void ListeningServer::stop(std::function<void()> stopped) {
  stop_callbacks_.push_back(std::move(stopped));
  host_.is_stopping = true;
  listener_ = nullptr;
  handshakes_.clear();
  for (const auto& connection : all_connections()) connection->close_when_idle();
  if (connections_.empty()) report_stopped();
}

void ListeningServer::report_stopped() {
  for (auto& callback : std::exchange(stop_callbacks_, {})) host_.loop.post(std::move(callback));
}

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::listen(Loop& loop, HttpServerOptions options,
                                                       Handler handler) {
  auto server = std::make_unique<ListeningServer>(loop, std::move(options), std::move(handler));
  if (auto opened = server->open(); !opened) return fail(std::move(opened.error()));
  return server;
}

}  // namespace dkron::net
