#include "net/http_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <cstring>
#include <unordered_map>

#include "base/log.h"
#include "net/http_connection.h"

namespace dkron::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr int kBacklog = 4096;
constexpr int kAcceptBatch = 64;
constexpr Duration kFirstBackOff = milliseconds(5);
constexpr Duration kLastBackOff = seconds(1);
// Refused clients that are still being told so; beyond it they are closed without a word.
constexpr std::size_t kRefusedLimit = 256;

struct Address {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
};

Address any_address(int family, std::uint16_t port) {
  Address address;
  address.storage.ss_family = static_cast<sa_family_t>(family);
  if (family == AF_INET6) {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
    v6->sin6_port = htons(port);
    v6->sin6_addr = in6addr_any;
    address.size = sizeof(sockaddr_in6);
  } else {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
    v4->sin_port = htons(port);
    v4->sin_addr.s_addr = htonl(INADDR_ANY);
    address.size = sizeof(sockaddr_in);
  }
  return address;
}

std::uint16_t port_of(const Address& address) {
  return ntohs(address.family() == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6*>(&address.storage)->sin6_port
                   : reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_port);
}

// "127.0.0.1:51234", "[::1]:51234"; an IPv4 client of the dual-stack socket reads as IPv4.
std::string to_text(const Address& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.family() != AF_INET6) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address.storage);
    ::inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text));
    return fmt::format("{}:{}", text, port_of(address));
  }
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address.storage);
  if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
    ::inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], text, sizeof(text));
    return fmt::format("{}:{}", text, port_of(address));
  }
  ::inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
  return fmt::format("[{}]:{}", text, port_of(address));
}

// The system's texts as Go writes them, without the capital.
std::string go_strerror(int error) {
  std::string text = std::strerror(error);
  if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z') text[0] = static_cast<char>(text[0] + 32);
  return text;
}

std::string without_brackets(const std::string& host) {
  const bool has_brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
  return has_brackets ? host.substr(1, host.size() - 2) : host;
}

std::string shown_address(const HttpServerOptions& options) {
  const std::string host = without_brackets(options.host);
  if (host.find(':') != std::string::npos) return fmt::format("[{}]:{}", host, options.port);
  return fmt::format("{}:{}", host, options.port);
}

Result<Address> resolve(const HttpServerOptions& options) {
  const std::string host = without_brackets(options.host);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(options.port);
  if (::getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0 || found == nullptr) {
    return fail(ErrorCode::InvalidArgument, "listen tcp: lookup " + host + ": no such host");
  }
  Address address;
  std::memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
  address.size = found->ai_addrlen;
  ::freeaddrinfo(found);
  return address;
}

// The listening socket, or the errno and the call that failed.
struct ListenAttempt {
  UniqueFd fd;
  int error = 0;
  const char* call = "";
};

ListenAttempt try_listen(Address address) {
  ListenAttempt attempt;
  attempt.fd = UniqueFd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int fd = attempt.fd.get();
  const int on = 1;
  const int off = 0;
  if (fd < 0) {
    attempt.call = "socket";
  } else if (::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
             (address.family() == AF_INET6 &&
              ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) != 0)) {
    attempt.call = "setsockopt";
  } else if (::bind(fd, address.get(), address.size) != 0) {
    attempt.call = "bind";
  } else if (::listen(fd, kBacklog) != 0) {
    attempt.call = "listen";
  } else {
    return attempt;
  }
  attempt.error = errno;
  return attempt;
}

Result<UniqueFd> open_listener(const HttpServerOptions& options) {
  ListenAttempt attempt;
  if (options.host.empty() || options.host == "0.0.0.0") {
    attempt = try_listen(any_address(AF_INET6, options.port));
    // Only a machine without IPv6 falls back; a port in use is in use.
    const bool lacks_ipv6 = attempt.error == EAFNOSUPPORT || attempt.error == EADDRNOTAVAIL;
    if (lacks_ipv6) attempt = try_listen(any_address(AF_INET, options.port));
  } else {
    auto address = resolve(options);
    if (!address) return fail(std::move(address.error()));
    attempt = try_listen(*address);
  }
  if (attempt.error != 0) {
    return fail(ErrorCode::Io, fmt::format("listen tcp {}: {}: {}", shown_address(options),
                                           attempt.call, go_strerror(attempt.error)));
  }
  return std::move(attempt.fd);
}

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
              {}},
        acceptor_(loop.context()),
        back_off_timer_(loop.make_timer()) {
    host_.limits = {host_.options.header_limit_bytes, host_.options.body_limit_bytes,
                    host_.options.body_limit};
    host_.link->post = loop.poster();
    host_.on_closed = [this](HttpConnection* connection) { on_closed(connection); };
  }
  ~ListeningServer() override {
    *is_alive_ = false;
    stop_callbacks_.clear();
    close_listener();
    for (const auto& connection : all_connections()) connection->close();
  }

  Result<void> open(UniqueFd fd);

  std::uint16_t port() const override { return port_; }
  std::size_t connections() const override { return connections_.size() - refused_; }
  void stop(std::function<void()> stopped) override;

 private:
  std::vector<std::shared_ptr<HttpConnection>> all_connections() const;
  void await_accept();
  void accept_batch();
  void admit(UniqueFd fd, const Address& peer);
  void back_off(int error);
  void on_closed(HttpConnection* connection);
  void close_listener();
  void report_stopped();

  ConnectionHost host_;
  tcp::acceptor acceptor_;
  std::unique_ptr<Timer> back_off_timer_;
  Duration next_back_off_ = kFirstBackOff;
  std::uint16_t port_ = 0;
  bool is_ipv6_ = false;
  std::size_t refused_ = 0;
  std::unordered_map<HttpConnection*, std::shared_ptr<HttpConnection>> connections_;
  std::vector<std::function<void()>> stop_callbacks_;
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);  // For callbacks of the acceptor.
};

Result<void> ListeningServer::open(UniqueFd fd) {
  Address bound;
  ::getsockname(fd.get(), bound.get(), &bound.size);
  port_ = port_of(bound);
  is_ipv6_ = bound.family() == AF_INET6;
  boost::system::error_code error;
  acceptor_.assign(is_ipv6_ ? tcp::v6() : tcp::v4(), fd.get(), error);
  if (error) return fail(ErrorCode::Io, "listen tcp: " + error.message());
  fd.release();
  await_accept();
  return {};
}

void ListeningServer::await_accept() {
  acceptor_.async_wait(tcp::acceptor::wait_read,
                       [this, alive = is_alive_](const boost::system::error_code& error) {
                         if (!*alive || error || host_.is_stopping) return;
                         host_.link->loop_thread = std::this_thread::get_id();
                         accept_batch();
                       });
}

void ListeningServer::accept_batch() {
  for (int i = 0; i < kAcceptBatch; ++i) {
    Address peer;
    UniqueFd fd(
        ::accept4(acceptor_.native_handle(), peer.get(), &peer.size, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (fd.is_open()) {
      next_back_off_ = kFirstBackOff;
      admit(std::move(fd), peer);
      continue;
    }
    if (errno == EAGAIN) break;
    // Trouble of the machine (no descriptors, no memory) is waited out; trouble of the one client
    // that was about to come is no trouble.
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      back_off(errno);
      return;
    }
  }
  await_accept();
}

void ListeningServer::back_off(int error) {
  log::warning("http: cannot accept connections, trying again",
               {{"error", go_strerror(error)}, {"after", next_back_off_}});
  back_off_timer_->start(next_back_off_, [this] {
    if (!host_.is_stopping) accept_batch();
  });
  next_back_off_ = std::min(next_back_off_ * 2, kLastBackOff);
}

void ListeningServer::admit(UniqueFd fd, const Address& peer) {
  const bool is_full = connections() >= host_.options.connection_limit;
  if (is_full && refused_ >= kRefusedLimit) return;
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  auto connection = make_connection(host_, std::move(fd), is_ipv6_, to_text(peer));
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

void ListeningServer::close_listener() {
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  back_off_timer_->cancel();
}

void ListeningServer::stop(std::function<void()> stopped) {
  stop_callbacks_.push_back(std::move(stopped));
  host_.is_stopping = true;
  close_listener();
  for (const auto& connection : all_connections()) connection->close_when_idle();
  if (connections_.empty()) report_stopped();
}

void ListeningServer::report_stopped() {
  for (auto& callback : std::exchange(stop_callbacks_, {})) host_.loop.post(std::move(callback));
}

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::listen(Loop& loop, HttpServerOptions options,
                                                       Handler handler) {
  auto fd = open_listener(options);
  if (!fd) return fail(std::move(fd.error()));
  auto server = std::make_unique<ListeningServer>(loop, std::move(options), std::move(handler));
  if (auto opened = server->open(std::move(*fd)); !opened) return fail(std::move(opened.error()));
  return server;
}

}  // namespace dkron::net
