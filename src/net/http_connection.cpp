#include "net/http_connection.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstring>

#include "base/assert.h"
#include "net/handler_watch.h"

namespace dkron::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using ErrorCondition = boost::system::error_code;

constexpr std::size_t kFirstBuffer = std::size_t{4} * 1024;
constexpr std::size_t kBodyBuffer = std::size_t{64} * 1024;
constexpr Duration kLingerTimeout = seconds(2);
constexpr std::size_t kLingerLimit = std::size_t{8} * 1024 * 1024;
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

Response plain(int status, std::string_view text) {
  Response response;
  response.status = status;
  response.headers.emplace_back("Content-Type", "text/plain; charset=utf-8");
  response.body = text;
  return response;
}

// The bytes that were read and not yet parsed: a flat buffer that grows while a request needs it.
class InputBuffer {
 public:
  explicit InputBuffer(std::size_t limit) : limit_(limit) {}

  std::string_view content() const { return {data_.get() + begin_, end_ - begin_}; }
  bool is_empty() const { return begin_ == end_; }
  void consume(std::size_t size) { begin_ += size; }
  void clear() { begin_ = end_ = 0; }

  asio::mutable_buffer prepare() {
    if (is_empty()) clear();
    if (capacity_ == 0) resize(kFirstBuffer);
    if (last_read_was_full_ && capacity_ < limit_) resize(std::min(capacity_ * 2, limit_));
    if (end_ == capacity_ && begin_ > 0) {
      std::memmove(data_.get(), data_.get() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
    DK_ASSERT(end_ < capacity_);
    return {data_.get() + end_, capacity_ - end_};
  }
  void commit(std::size_t size) {
    end_ += size;
    last_read_was_full_ = end_ == capacity_;
  }
  // An idle connection gives back what a large request needed.
  void shrink() {
    if (!is_empty() || capacity_ <= kFirstBuffer) return;
    data_.reset();
    capacity_ = begin_ = end_ = 0;
    last_read_was_full_ = false;
  }

 private:
  void resize(std::size_t capacity) {
    std::unique_ptr<char[]> grown(new char[capacity]);
    if (!is_empty()) std::memcpy(grown.get(), data_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    data_ = std::move(grown);
    capacity_ = capacity;
    last_read_was_full_ = false;
  }

  std::unique_ptr<char[]> data_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t limit_;
  bool last_read_was_full_ = false;
};

class Connection final : public HttpConnection, public std::enable_shared_from_this<Connection> {
 public:
  Connection(ConnectionHost& host, std::string remote)
      : host_(host),
        remote_(std::move(remote)),
        socket_(host.loop.context()),
        timer_(host.loop.context()),
        input_(std::max(host.limits.header_bytes + RequestParser::kChunkLineLimit, kBodyBuffer)),
        parser_(host.limits) {}

  // Takes the descriptor only when it succeeds.
  bool adopt(int fd, bool is_ipv6) {
    ErrorCondition error;
    socket_.assign(is_ipv6 ? tcp::v6() : tcp::v4(), fd, error);
    return !error;
  }

  void start() override {
    set_deadline(Deadline::Idle, host_.options.idle_timeout);
    read();
  }
  void refuse() override {
    is_refused_ = true;
    fail(503, "too many connections");
  }
  void close() override;
  void close_when_idle() override {
    if (state_ == State::Reading && !parser_.has_begun() && input_.is_empty()) close();
  }
  bool is_refused() const override { return is_refused_; }

  void respond(Response response);

 private:
  enum class State { Reading, Handling, Writing, Draining, Closed };
  enum class AfterWrite { NextRequest, Body, Close };
  enum class Deadline { None, Idle, Request, Write, Linger };

  void read();
  void on_read(const ErrorCondition& error, std::size_t size);
  void process();
  void await_more();
  void dispatch();
  void fail(int status, std::string_view reason);
  void write_response(Response response, bool keep_alive);
  void write();
  void on_written();
  void finish();
  bool has_unread_input();
  void set_deadline(Deadline kind, Duration from_now);
  void arm(Duration now);
  void on_timer();

  ConnectionHost& host_;
  std::string remote_;
  tcp::socket socket_;
  asio::steady_timer timer_;
  InputBuffer input_;
  RequestParser parser_;
  State state_ = State::Reading;
  bool is_refused_ = false;
  bool is_processing_ = false;
  bool is_read_pending_ = false;
  bool has_failed_ = false;  // The rest of the input is not parsed.
  bool is_head_ = false;     // Of the request being answered, like the next two.
  bool is_http_1_0_ = false;
  bool keep_alive_ = false;
  std::size_t drained_bytes_ = 0;

  AfterWrite after_write_ = AfterWrite::NextRequest;
  Response response_;  // Keeps the body alive while it is sent.
  std::string head_;
  std::string_view body_;  // Of response_.
  std::size_t sent_ = 0;   // Of head_ and body_ together.

  Deadline deadline_kind_ = Deadline::None;
  Duration deadline_ = Duration::max();
  Duration armed_for_ = Duration::max();  // max = not armed.
};

// The promise to answer one request; its loss is answered with 500.
class RequestSink final : public Responder::Sink {
 public:
  RequestSink(std::weak_ptr<Connection> connection, std::shared_ptr<LoopLink> link)
      : connection_(std::move(connection)), link_(std::move(link)) {}
  ~RequestSink() override {
    if (!is_answered_.load()) send(plain(500, "no answer"));
  }
  void send(Response response) override {
    if (is_answered_.exchange(true)) return;
    if (link_->loop_thread.load(std::memory_order_relaxed) == std::this_thread::get_id()) {
      if (const auto connection = connection_.lock()) connection->respond(std::move(response));
      return;
    }
    // The pointer is locked on the loop's thread only, so that connections also die there.
    link_->post([connection = connection_, held = std::move(response)]() mutable {
      if (const auto alive = connection.lock()) alive->respond(std::move(held));
    });
  }

 private:
  std::weak_ptr<Connection> connection_;
  std::shared_ptr<LoopLink> link_;
  std::atomic<bool> is_answered_{false};
};

void Connection::close() {
  if (state_ == State::Closed) return;
  state_ = State::Closed;
  ErrorCondition ignored;
  socket_.close(ignored);
  timer_.cancel();
  const auto self = shared_from_this();  // The registry may hold the last reference.
  host_.on_closed(this);
}

void Connection::read() {
  is_read_pending_ = true;
  socket_.async_read_some(
      input_.prepare(), [self = shared_from_this()](const ErrorCondition& error, std::size_t size) {
        self->on_read(error, size);
      });
}

void Connection::on_read(const ErrorCondition& error, std::size_t size) {
  const HandlerWatch watch;
  is_read_pending_ = false;
  if (state_ == State::Closed) return;
  if (error) {
    // While an answer is on its way the end of the input changes nothing.
    if (state_ == State::Reading || state_ == State::Draining) close();
    return;
  }
  input_.commit(size);
  if (!has_failed_ && state_ != State::Draining) {
    process();
    return;
  }
  input_.clear();
  drained_bytes_ += size;
  if (drained_bytes_ > kLingerLimit) {
    close();
  } else if (state_ == State::Draining) {
    read();
  }
}

// Answers that come from inside the handler let this loop go on, so that a thousand pipelined
// requests need no thousand stack frames.
void Connection::process() {
  if (is_processing_) return;
  is_processing_ = true;
  while (state_ == State::Reading && !is_read_pending_) {
    if (input_.is_empty()) {
      await_more();
      break;
    }
    std::size_t consumed = 0;
    const RequestParser::Step step = parser_.parse(input_.content(), &consumed);
    input_.consume(consumed);
    switch (step) {
      case RequestParser::Step::NeedMore: await_more(); break;
      case RequestParser::Step::Complete: dispatch(); break;
      case RequestParser::Step::Failed:
        is_head_ = parser_.is_head_method();
        is_http_1_0_ = parser_.is_http_1_0();
        fail(parser_.failure_status(), parser_.failure_reason());
        break;
    }
  }
  is_processing_ = false;
}

void Connection::await_more() {
  if (!parser_.has_begun()) {
    if (host_.is_stopping) {
      close();
      return;
    }
    if (input_.is_empty()) input_.shrink();
    if (deadline_kind_ != Deadline::Idle) set_deadline(Deadline::Idle, host_.options.idle_timeout);
    read();
    return;
  }
  if (deadline_kind_ != Deadline::Request) {
    set_deadline(Deadline::Request, host_.options.request_timeout);
  }
  if (parser_.awaits_continue() && after_write_ != AfterWrite::Body) {
    after_write_ = AfterWrite::Body;
    head_ = kContinue;
    write();
    return;
  }
  read();
}

void Connection::dispatch() {
  state_ = State::Handling;
  set_deadline(Deadline::None, Duration::max());
  is_head_ = parser_.is_head_method();
  is_http_1_0_ = parser_.is_http_1_0();
  keep_alive_ = parser_.keep_alive();
  after_write_ = AfterWrite::NextRequest;
  Request request = parser_.take();
  request.remote = remote_;
  host_.handler(std::move(request),
                Responder(std::make_shared<RequestSink>(weak_from_this(), host_.link)));
}

void Connection::respond(Response response) {
  if (state_ != State::Handling) return;
  if (response.status < 200 || response.status > 999) response = plain(500, "no valid answer");
  const bool keep_alive = keep_alive_ && !host_.is_stopping && !wants_close(response);
  write_response(std::move(response), keep_alive);
}

// The protocol's own errors. What the client sends after them has no meaning any more.
void Connection::fail(int status, std::string_view reason) {
  has_failed_ = true;
  input_.clear();
  write_response(plain(status, reason), false);
}

void Connection::write_response(Response response, bool keep_alive) {
  response_ = std::move(response);
  after_write_ = keep_alive ? AfterWrite::NextRequest : AfterWrite::Close;
  head_.clear();
  append_head(&head_, response_,
              {is_http_1_0_, keep_alive, host_.date.at(system_clock().wall().unix_seconds())});
  body_ = response_.shared_body ? std::string_view(*response_.shared_body) : response_.body;
  if (is_head_ || !may_have_body(response_.status)) body_ = {};
  write();
}

// Sends what the socket takes; the rest when it takes more. A client that takes nothing for the
// idle timeout is given up.
void Connection::write() {
  state_ = State::Writing;
  iovec parts[2];
  std::size_t count = 0;
  if (sent_ < head_.size()) parts[count++] = {head_.data() + sent_, head_.size() - sent_};
  const std::size_t body_sent = sent_ > head_.size() ? sent_ - head_.size() : 0;
  if (body_sent < body_.size()) {
    parts[count++] = {const_cast<char*>(body_.data()) + body_sent, body_.size() - body_sent};
  }
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = count;
  const ssize_t size = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (size < 0 && errno != EAGAIN && errno != EINTR) {
    close();
    return;
  }
  if (size > 0) sent_ += static_cast<std::size_t>(size);
  if (sent_ == head_.size() + body_.size()) {
    on_written();
    return;
  }
  if (size > 0 || deadline_kind_ != Deadline::Write) {
    set_deadline(Deadline::Write, host_.options.idle_timeout);
  }
  socket_.async_wait(tcp::socket::wait_write,
                     [self = shared_from_this()](const ErrorCondition& error) {
                       if (self->state_ != State::Writing) return;
                       if (error) {
                         self->close();
                       } else {
                         self->write();
                       }
                     });
}

void Connection::on_written() {
  sent_ = 0;
  body_ = {};
  response_ = Response();
  head_.clear();
  switch (after_write_) {
    case AfterWrite::Close: finish(); return;
    case AfterWrite::Body:
      state_ = State::Reading;
      if (deadline_kind_ != Deadline::Request) {
        set_deadline(Deadline::Request, host_.options.request_timeout);
      }
      break;
    case AfterWrite::NextRequest:
      state_ = State::Reading;
      deadline_kind_ = Deadline::None;
      break;
  }
  if (is_processing_) return;
  if (input_.is_empty()) {
    process();
    return;
  }
  // The next handler must not run inside the call that answered this one.
  asio::post(host_.loop.context(), [self = shared_from_this()] {
    if (self->state_ == State::Reading) self->process();
  });
}

void Connection::finish() {
  if (!has_failed_ && input_.is_empty() && !has_unread_input()) {
    close();
    return;
  }
  has_failed_ = true;
  input_.clear();
  state_ = State::Draining;
  ErrorCondition ignored;
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
  set_deadline(Deadline::Linger, kLingerTimeout);
  if (!is_read_pending_) read();
}

bool Connection::has_unread_input() {
  char byte = 0;
  return ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void Connection::set_deadline(Deadline kind, Duration from_now) {
  deadline_kind_ = kind;
  if (kind == Deadline::None) {
    deadline_ = Duration::max();
    return;
  }
  const Duration now = system_clock().steady();
  deadline_ = from_now > Duration::max() - now ? Duration::max() : now + from_now;
  if (deadline_ < armed_for_) arm(now);
}

void Connection::arm(Duration now) {
  armed_for_ = deadline_;
  timer_.expires_after(std::max(deadline_ - now, Duration(0)));
  timer_.async_wait([self = shared_from_this()](const ErrorCondition& error) {
    if (!error && self->state_ != State::Closed) self->on_timer();
  });
}

void Connection::on_timer() {
  armed_for_ = Duration::max();
  if (deadline_kind_ == Deadline::None || deadline_ == Duration::max()) return;
  const Duration now = system_clock().steady();
  if (now < deadline_) {
    arm(now);
  } else if (deadline_kind_ == Deadline::Request && state_ == State::Reading) {
    is_head_ = parser_.is_head_method();
    is_http_1_0_ = false;
    fail(408, "the request did not arrive in time");
  } else {
    close();
  }
}

}  // namespace

std::shared_ptr<HttpConnection> make_connection(ConnectionHost& host, UniqueFd fd, bool is_ipv6,
                                                std::string remote) {
  auto connection = std::make_shared<Connection>(host, std::move(remote));
  if (!connection->adopt(fd.get(), is_ipv6)) return nullptr;
  fd.release();
  return connection;
}

}  // namespace dkron::net
