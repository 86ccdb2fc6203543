#include "net/listener.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <cstring>

#include "base/log.h"

namespace dkron::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr int kBacklog = 4096;
constexpr int kAcceptBatch = 64;
constexpr Duration kFirstBackOff = milliseconds(5);
constexpr Duration kLastBackOff = seconds(1);

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

std::string shown_address(const ListenAddress& address) {
  const std::string host = without_brackets(address.host);
  if (host.find(':') != std::string::npos) return fmt::format("[{}]:{}", host, address.port);
  return fmt::format("{}:{}", host, address.port);
}

Result<Address> resolve(const ListenAddress& address) {
  const std::string host = without_brackets(address.host);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(address.port);
  if (::getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0 || found == nullptr) {
    return fail(ErrorCode::InvalidArgument, "listen tcp: lookup " + host + ": no such host");
  }
  Address resolved;
  std::memcpy(&resolved.storage, found->ai_addr, found->ai_addrlen);
  resolved.size = found->ai_addrlen;
  ::freeaddrinfo(found);
  return resolved;
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

Result<UniqueFd> open_listener(const ListenAddress& address) {
  ListenAttempt attempt;
  if (address.host.empty() || address.host == "0.0.0.0") {
    attempt = try_listen(any_address(AF_INET6, address.port));
    // Only a machine without IPv6 falls back; a port in use is in use.
    const bool lacks_ipv6 = attempt.error == EAFNOSUPPORT || attempt.error == EADDRNOTAVAIL;
    if (lacks_ipv6) attempt = try_listen(any_address(AF_INET, address.port));
  } else {
    auto resolved = resolve(address);
    if (!resolved) return fail(std::move(resolved.error()));
    attempt = try_listen(*resolved);
  }
  if (attempt.error != 0) {
    return fail(ErrorCode::Io, fmt::format("listen tcp {}: {}: {}", shown_address(address),
                                           attempt.call, go_strerror(attempt.error)));
  }
  return std::move(attempt.fd);
}

class AsioListener final : public Listener {
 public:
  AsioListener(Loop& loop, std::string who, OnConnection on_connection)
      : who_(std::move(who)),
        on_connection_(std::move(on_connection)),
        acceptor_(loop.context()),
        back_off_timer_(loop.make_timer()) {}
  ~AsioListener() override {
    *is_alive_ = false;
    boost::system::error_code ignored;
    acceptor_.close(ignored);
  }

  Result<void> open(UniqueFd fd) {
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

  std::uint16_t port() const override { return port_; }
  bool is_ipv6() const override { return is_ipv6_; }
  void pause() override { is_paused_ = true; }
  void resume() override {
    if (!std::exchange(is_paused_, false) || is_waiting_ || is_accepting_) return;
    back_off_timer_->cancel();
    await_accept();
  }

 private:
  void await_accept() {
    is_waiting_ = true;
    acceptor_.async_wait(tcp::acceptor::wait_read,
                         [this, alive = is_alive_](const boost::system::error_code& error) {
                           if (!*alive) return;
                           is_waiting_ = false;
                           if (!error) accept_batch();
                         });
  }

  void accept_batch() {
    const auto alive = is_alive_;
    is_accepting_ = true;
    for (int i = 0; i < kAcceptBatch && !is_paused_; ++i) {
      Address peer;
      UniqueFd fd(::accept4(acceptor_.native_handle(), peer.get(), &peer.size,
                            SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (fd.is_open()) {
        next_back_off_ = kFirstBackOff;
        const int on = 1;
        ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        on_connection_(std::move(fd), to_text(peer));
        if (!*alive) return;
        continue;
      }
      if (errno == EAGAIN) break;
      // Trouble of the machine (no descriptors, no memory) is waited out; trouble of the one client
      // that was about to come is no trouble.
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        is_accepting_ = false;
        back_off(errno);
        return;
      }
    }
    is_accepting_ = false;
    if (!is_paused_) await_accept();
  }

  void back_off(int error) {
    log::warning(who_ + ": cannot accept connections, trying again",
                 {{"error", go_strerror(error)}, {"after", next_back_off_}});
    back_off_timer_->start(next_back_off_, [this] {
      if (!is_paused_) accept_batch();
    });
    next_back_off_ = std::min(next_back_off_ * 2, kLastBackOff);
  }

  const std::string who_;
  const OnConnection on_connection_;
  tcp::acceptor acceptor_;
  std::unique_ptr<Timer> back_off_timer_;
  Duration next_back_off_ = kFirstBackOff;
  std::uint16_t port_ = 0;
  bool is_ipv6_ = false;
  bool is_paused_ = false;
  bool is_waiting_ = false;
  bool is_accepting_ = false;
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);  // For callbacks of the acceptor.
};

}  // namespace

Result<std::unique_ptr<Listener>> Listener::open(Loop& loop, const ListenAddress& address,
                                                 std::string who, OnConnection on_connection) {
  auto fd = open_listener(address);
  if (!fd) return fail(std::move(fd.error()));
  auto listener = std::make_unique<AsioListener>(loop, std::move(who), std::move(on_connection));
  if (auto opened = listener->open(std::move(*fd)); !opened) return fail(std::move(opened.error()));
  return listener;
}

}  // namespace dkron::net
