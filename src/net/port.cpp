#include "net/port.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <unordered_set>

#include "base/log.h"

namespace dkron::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr Duration kAcceptBackOff = milliseconds(100);

std::string name_of(const tcp::endpoint& endpoint) {
  const std::string host = endpoint.address().to_string();
  const bool is_v6 = endpoint.address().is_v6();
  return (is_v6 ? "[" + host + "]" : host) + ":" + std::to_string(endpoint.port());
}

class TcpPort final : public Port {
 public:
  TcpPort(Loop& loop, Handlers handlers)
      : loop_(loop),
        handlers_(std::move(handlers)),
        acceptor_(loop.context()),
        back_off_timer_(loop.make_timer()) {}
  ~TcpPort() override;

  Result<void> open(const Options& options);
  std::uint16_t port() const override { return acceptor_.local_endpoint().port(); }

 private:
  // A connection whose first byte has not come.
  struct Pending {
    explicit Pending(tcp::socket s) : socket(std::move(s)) {}
    tcp::socket socket;
    std::string peer;
    std::unique_ptr<Timer> limit;
  };
  using PendingPtr = std::shared_ptr<Pending>;

  void accept();
  void on_accepted(error_code error, tcp::socket socket);
  void on_first_byte(const PendingPtr& pending);
  void hand_over(const Handler& handler, const PendingPtr& pending);
  void drop(const PendingPtr& pending);

  Loop& loop_;
  Handlers handlers_;
  tcp::acceptor acceptor_;
  std::unordered_set<PendingPtr> pending_;
  std::unique_ptr<Timer> back_off_timer_;
  bool is_accepting_ = false;
  // Callbacks of Asio that come behind this object's end find it gone.
  std::shared_ptr<TcpPort*> self_ = std::make_shared<TcpPort*>(this);
};

TcpPort::~TcpPort() {
  *self_ = nullptr;
  for (const PendingPtr& pending : pending_) {
    error_code ignored;
    pending->socket.close(ignored);
  }
}

Result<void> TcpPort::open(const Options& options) {
  error_code error;
  asio::ip::address address = asio::ip::address_v6::any();
  if (!options.host.empty()) address = asio::ip::make_address(options.host, error);
  if (error) return fail(ErrorCode::InvalidArgument, options.host + " is no IP address");
  tcp::endpoint endpoint(address, options.port);
  acceptor_.open(endpoint.protocol(), error);
  if (error && options.host.empty()) {  // A machine without IPv6.
    endpoint = tcp::endpoint(tcp::v4(), options.port);
    error.clear();
    acceptor_.open(endpoint.protocol(), error);
  }
  if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error && options.host.empty() && endpoint.address().is_v6()) {
    acceptor_.set_option(asio::ip::v6_only(false), error);
  }
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(tcp::acceptor::max_listen_connections, error);
  if (!error) acceptor_.non_blocking(true, error);
  if (error) {
    return fail(ErrorCode::Unavailable, "listen tcp " + name_of(endpoint) + ": " + error.message());
  }
  accept();
  return {};
}

void TcpPort::accept() {
  if (is_accepting_ || pending_.size() >= kPendingLimit) return;
  is_accepting_ = true;
  acceptor_.async_accept([self = self_](error_code error, tcp::socket socket) {
    if (*self != nullptr) (*self)->on_accepted(error, std::move(socket));
  });
}

void TcpPort::on_accepted(error_code error, tcp::socket socket) {
  is_accepting_ = false;
  if (error) {
    // Out of descriptors, mostly: they come back.
    back_off_timer_->start(kAcceptBackOff, [this] { accept(); });
    return;
  }
  auto pending = std::make_shared<Pending>(std::move(socket));
  error_code ignored;
  pending->peer = name_of(pending->socket.remote_endpoint(ignored));
  pending->limit = loop_.make_timer();
  pending->limit->start(kFirstByteLimit, [this, pending] { drop(pending); });
  pending_.insert(pending);
  pending->socket.async_wait(tcp::socket::wait_read, [self = self_, pending](error_code failed) {
    if (*self == nullptr) return;
    if (failed) {
      (*self)->drop(pending);
    } else {
      (*self)->on_first_byte(pending);
    }
  });
  accept();
}

void TcpPort::on_first_byte(const PendingPtr& pending) {
  if (!pending_.contains(pending)) return;
  char byte = 0;
  const ssize_t count = ::recv(pending->socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (count <= 0) return drop(pending);  // A probe.
  const Handler& handler = byte == 'P' ? handlers_.grpc : handlers_.raft;
  if ((byte != 'P' && byte != 'D') || !handler) {
    log::debug(
        "a connection to the RPC port was closed: its first byte is of no protocol spoken here",
        {{"peer", pending->peer}});
    return drop(pending);
  }
  hand_over(handler, pending);
}

void TcpPort::hand_over(const Handler& handler, const PendingPtr& pending) {
  error_code error;
  pending->socket.set_option(tcp::no_delay(true), error);
  pending->socket.non_blocking(true, error);
  UniqueFd connection(pending->socket.release(error));
  const std::string peer = pending->peer;
  drop(pending);
  if (error) return;
  ::fcntl(connection.get(), F_SETFL, ::fcntl(connection.get(), F_GETFL) | O_NONBLOCK);
  ::fcntl(connection.get(), F_SETFD, FD_CLOEXEC);
  handler(std::move(connection), peer);
}

void TcpPort::drop(const PendingPtr& pending) {
  pending->limit.reset();
  error_code ignored;
  if (pending->socket.is_open()) pending->socket.close(ignored);
  pending_.erase(pending);
  accept();
}

}  // namespace

Result<std::unique_ptr<Port>> Port::listen(Loop& loop, Options options, Handlers handlers) {
  auto port = std::make_unique<TcpPort>(loop, std::move(handlers));
  if (auto opened = port->open(options); !opened) return fail(opened.error());
  return std::unique_ptr<Port>(std::move(port));
}

}  // namespace dkron::net
