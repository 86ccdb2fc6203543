// Connecting, see port.h.
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/ip/tcp.hpp>
#include <cstring>
#include <vector>

#include "net/port.h"
#include "net/tls_stream.h"

namespace dkron::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using Endpoints = std::vector<tcp::endpoint>;

// "host:port" with an IPv6 host in brackets, taken apart; false when it is none.
bool split(const std::string& address, std::string* host, std::string* port) {
  const auto colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == address.size()) return false;
  *host = address.substr(0, colon);
  *port = address.substr(colon + 1);
  if (host->size() > 2 && host->front() == '[' && host->back() == ']')
    *host = host->substr(1, host->size() - 2);
  return true;
}

Result<Endpoints> resolve(const std::string& host, const std::string& port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  if (error != 0)
    return fail(ErrorCode::Unavailable, "lookup " + host + ": " + ::gai_strerror(error));
  Endpoints endpoints;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    tcp::endpoint endpoint;
    if (one->ai_addrlen > endpoint.capacity()) continue;
    std::memcpy(endpoint.data(), one->ai_addr, one->ai_addrlen);
    endpoint.resize(one->ai_addrlen);
    endpoints.push_back(endpoint);
  }
  ::freeaddrinfo(found);
  return endpoints;
}

// One connection being made; kept alive by what it waits for.
class Dial final : public std::enable_shared_from_this<Dial> {
 public:
  using Done = std::function<void(Result<UniqueFd>)>;
  Dial(Loop& loop, DialOptions options, Done done)
      : loop_(loop),
        options_(std::move(options)),
        done_(std::move(done)),
        socket_(loop.context()),
        timer_(loop.make_timer()) {}

  void start(Workers& workers) {
    timer_->start(options_.limit, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->give_up();
    });
    std::string host;
    std::string port;
    if (!split(options_.address, &host, &port)) {
      finish_later({ErrorCode::InvalidArgument, "dial tcp: not an address: " + options_.address});
      return;
    }
    if (options_.server_name.empty()) options_.server_name = host;
    const bool accepted =
        workers.try_post([self = shared_from_this(), host, port, post = loop_.poster()]() mutable {
          auto endpoints = resolve(host, port);
          post([self = std::move(self), endpoints = std::move(endpoints)]() mutable {
            self->on_resolved(std::move(endpoints));
          });
        });
    if (!accepted) finish_later({ErrorCode::Overloaded, "dial tcp: the workers are busy"});
  }

 private:
  void give_up() {
    finish(fail(ErrorCode::Unavailable, "dial tcp " + options_.address + ": i/o timeout"));
  }
  void finish_later(Error error) {
    loop_.post(
        [self = shared_from_this(), error = std::move(error)] { self->finish(fail(error)); });
  }

  void on_resolved(Result<Endpoints> endpoints) {
    if (done_ == nullptr) return;
    if (!endpoints)
      return finish(fail(ErrorCode::Unavailable, "dial tcp: " + endpoints.error().message));
    endpoints_ = std::move(*endpoints);
    try_next(asio::error::host_not_found);
  }

  void try_next(boost::system::error_code last) {
    boost::system::error_code error;
    socket_.close(error);
    if (next_ >= endpoints_.size()) {
      finish(fail(ErrorCode::Unavailable, "dial tcp " + options_.address + ": " + last.message()));
      return;
    }
    const tcp::endpoint& endpoint = endpoints_[next_++];
    socket_.open(endpoint.protocol(), error);
    if (error) return try_next(error);
    socket_.async_connect(endpoint, [self = shared_from_this()](const auto& why) {
      if (self->done_ == nullptr) return;
      if (why) {
        self->try_next(why);
      } else {
        self->on_connected();
      }
    });
  }

  void on_connected() {
    boost::system::error_code error;
    socket_.set_option(tcp::no_delay(true), error);
    socket_.non_blocking(true, error);
    UniqueFd fd(socket_.release(error));
    if (error) return finish(fail(ErrorCode::Io, "dial tcp: " + error.message()));
    if (options_.tls == nullptr) return finish(std::move(fd));
    handshake_ =
        start_tls(loop_, *options_.tls, std::move(fd), {false, nullptr, options_.server_name},
                  [self = shared_from_this()](Result<UniqueFd> plain) {
                    self->on_handshake(std::move(plain));
                  });
  }

  void on_handshake(Result<UniqueFd> plain) {
    if (!plain) {
      const std::string& why = plain.error().message;
      return finish(
          fail(plain.error().code, "dial tcp " + options_.address + ": " +
                                       (why.empty() ? "tls: the connection was closed" : why)));
    }
    finish(std::move(plain));
  }

  void finish(Result<UniqueFd> result) {
    const Done done = std::exchange(done_, nullptr);
    if (done == nullptr) return;
    const auto self = shared_from_this();
    timer_->cancel();
    boost::system::error_code ignored;
    socket_.close(ignored);
    handshake_ = nullptr;
    done(std::move(result));
  }

  Loop& loop_;
  DialOptions options_;
  Done done_;  // Null: it was called.
  tcp::socket socket_;
  std::unique_ptr<Timer> timer_;
  Endpoints endpoints_;
  std::size_t next_ = 0;
  std::unique_ptr<TlsHandshake> handshake_;
};

}  // namespace

void dial(Loop& loop, Workers& workers, DialOptions options,
          std::function<void(Result<UniqueFd>)> done) {
  std::make_shared<Dial>(loop, std::move(options), std::move(done))->start(workers);
}

}  // namespace dkron::net
