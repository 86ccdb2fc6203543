#include <fcntl.h>

#include <boost/asio/ip/tcp.hpp>

#include "net/port.h"

namespace dkron::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using OnDialed = std::function<void(Result<UniqueFd>)>;

// Keeps itself until it has answered.
class Dial : public std::enable_shared_from_this<Dial> {
 public:
  Dial(Loop& loop, DialOptions options, OnDialed done)
      : options_(std::move(options)),
        done_(std::move(done)),
        socket_(loop.context()),
        limit_(loop.make_timer()) {}

  void start(Loop& loop, Workers& workers);

 private:
  void resolve(Workers& workers, Post post, const std::string& host, const std::string& port);
  void on_resolved(std::vector<tcp::endpoint> endpoints, const std::string& error);
  void connect_next();
  void on_connected();
  void answer(Result<UniqueFd> result);

  DialOptions options_;
  OnDialed done_;
  tcp::socket socket_;
  std::unique_ptr<Timer> limit_;
  std::vector<tcp::endpoint> endpoints_;  // The last one is tried next.
  std::string last_error_ = "no address";
};

void Dial::start(Loop& loop, Workers& workers) {
  limit_->start(options_.limit, [self = shared_from_this()] {
    self->answer(fail(ErrorCode::Unavailable, "connecting to " + self->options_.address +
                                                  " took longer than " +
                                                  format_duration(self->options_.limit)));
  });
  const auto colon = options_.address.rfind(':');
  if (colon == std::string::npos) {
    loop.post([self = shared_from_this()] {
      self->answer(fail(ErrorCode::InvalidArgument, self->options_.address + " has no port"));
    });
    return;
  }
  std::string host = options_.address.substr(0, colon);
  if (host.size() > 1 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  const std::string port = options_.address.substr(colon + 1);
  error_code error;
  const auto ip = asio::ip::make_address(host, error);
  if (error) return resolve(workers, loop.poster(), host, port);
  const auto number = static_cast<std::uint16_t>(std::atoi(port.c_str()));
  loop.post([self = shared_from_this(), endpoint = tcp::endpoint(ip, number)] {
    self->on_resolved({endpoint}, {});
  });
}

void Dial::resolve(Workers& workers, Post post, const std::string& host, const std::string& port) {
  const bool accepted = workers.try_post([self = shared_from_this(), post, host, port] {
    asio::io_context context;
    tcp::resolver resolver(context);
    error_code error;
    std::vector<tcp::endpoint> endpoints;
    for (const auto& entry : resolver.resolve(host, port, error)) {
      endpoints.insert(endpoints.begin(), entry.endpoint());
    }
    post([self, endpoints = std::move(endpoints), text = error ? error.message() : ""]() mutable {
      self->on_resolved(std::move(endpoints), text);
    });
  });
  if (accepted) return;
  post([self = shared_from_this()] {
    self->answer(fail(ErrorCode::Overloaded, "too much waits for the workers to look up names"));
  });
}

void Dial::on_resolved(std::vector<tcp::endpoint> endpoints, const std::string& error) {
  endpoints_ = std::move(endpoints);
  if (!error.empty()) last_error_ = error;
  connect_next();
}

void Dial::connect_next() {
  if (!done_) return;
  if (endpoints_.empty()) {
    answer(fail(ErrorCode::Unavailable, "connecting to " + options_.address + ": " + last_error_));
    return;
  }
  const tcp::endpoint endpoint = endpoints_.back();
  endpoints_.pop_back();
  error_code ignored;
  socket_.close(ignored);
  socket_.async_connect(endpoint, [self = shared_from_this()](error_code error) {
    if (!self->done_) return;
    if (error) {
      self->last_error_ = error.message();
      self->connect_next();
    } else {
      self->on_connected();
    }
  });
}

void Dial::on_connected() {
  error_code error;
  socket_.set_option(tcp::no_delay(true), error);
  UniqueFd connection(socket_.release(error));
  if (error) return answer(fail(ErrorCode::Io, error.message()));
  ::fcntl(connection.get(), F_SETFL, ::fcntl(connection.get(), F_GETFL) | O_NONBLOCK);
  ::fcntl(connection.get(), F_SETFD, FD_CLOEXEC);
  answer(std::move(connection));
}

void Dial::answer(Result<UniqueFd> result) {
  const OnDialed done = std::exchange(done_, nullptr);
  if (!done) return;
  limit_->cancel();
  error_code ignored;
  if (socket_.is_open()) socket_.close(ignored);
  done(std::move(result));
}

}  // namespace

void dial(Loop& loop, Workers& workers, DialOptions options, OnDialed done) {
  std::make_shared<Dial>(loop, std::move(options), std::move(done))->start(loop, workers);
}

}  // namespace dkron::net
