#include "net/tls_stream.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>

namespace dkron::net {
namespace {

namespace asio = boost::asio;
using ErrorCondition = boost::system::error_code;
using Descriptor = asio::posix::stream_descriptor;

// After so much one connection lets the others have a turn.
constexpr std::size_t kTurnBytes = 256 * 1024;

// ---- The socket as OpenSSL sees it; its own would raise SIGPIPE.

int read_socket(BIO* bio, char* data, int size) {
  ::BIO_clear_retry_flags(bio);
  const int fd = static_cast<int>(reinterpret_cast<std::intptr_t>(::BIO_get_data(bio)));
  const ssize_t got = ::recv(fd, data, static_cast<std::size_t>(size), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) ::BIO_set_retry_read(bio);
  return static_cast<int>(got);
}

int write_socket(BIO* bio, const char* data, int size) {
  ::BIO_clear_retry_flags(bio);
  const int fd = static_cast<int>(reinterpret_cast<std::intptr_t>(::BIO_get_data(bio)));
  const ssize_t sent = ::send(fd, data, static_cast<std::size_t>(size), MSG_NOSIGNAL);
  if (sent < 0 && (errno == EAGAIN || errno == EINTR)) ::BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}

long control_socket(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO* make_socket_bio(int fd) {
  static BIO_METHOD* const kMethod = [] {
    BIO_METHOD* method = ::BIO_meth_new(::BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "dkron");
    ::BIO_meth_set_read(method, &read_socket);
    ::BIO_meth_set_write(method, &write_socket);
    ::BIO_meth_set_ctrl(method, &control_socket);
    return method;
  }();
  BIO* bio = ::BIO_new(kMethod);
  ::BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(fd)));
  ::BIO_set_init(bio, 1);
  return bio;
}

// ---- The connection

class TlsStream final : public std::enable_shared_from_this<TlsStream> {
 public:
  using Done = std::function<void(Result<UniqueFd>)>;

  TlsStream(Loop& loop, std::shared_ptr<ssl_ctx_st> context)
      : loop_(loop),
        context_(std::move(context)),
        session_(::SSL_new(context_.get()), &::SSL_free),
        outer_(loop.context()),
        inner_(loop.context()) {}

  Result<void> open(UniqueFd connection, const TlsRole& role);
  void start(Done done) {
    done_ = std::move(done);
    asio::post(loop_.context(), [self = shared_from_this()] { self->go_on(); });
  }
  void abandon() {
    if (done_ == nullptr) return;
    done_ = nullptr;
    close();
  }

 private:
  struct Side {
    explicit Side(asio::io_context& context) : descriptor(context) {}
    Descriptor descriptor;
    bool waits_to_read = false;
    bool waits_to_write = false;
    bool waits_for_hangup = false;
    bool wants_read = false;
    bool wants_write = false;
    bool is_at_end = false;  // Nothing more comes from there.
    bool is_shut = false;    // Nothing more goes there.
    std::string pending;     // On its way there.
  };

  SSL* session() { return session_.get(); }
  void go_on();
  void shake_hands();
  void finish_handshake();
  void carry();
  void carry_in();
  void carry_out();
  bool flush_in();
  bool flush_out();
  // What the session waits for; false: it is broken.
  bool note_wish(int result);
  void look_at_plain_end();
  void arm(Side& side);
  void await_hangup();
  void fail_handshake();
  void close();
  int inner_fd() { return inner_.descriptor.native_handle(); }

  Loop& loop_;
  std::shared_ptr<ssl_ctx_st> context_;
  std::unique_ptr<SSL, decltype(&::SSL_free)> session_;
  Side outer_;
  Side inner_;
  UniqueFd given_;  // The end for the others, until the handshake is done.
  Done done_;       // Null: it was called.
  bool is_open_ = false;
  bool is_closed_ = false;
  bool has_heard_ = false;
  std::size_t carried_ = 0;  // In this turn.
  std::unique_ptr<Timer> linger_;
};

Result<void> TlsStream::open(UniqueFd connection, const TlsRole& role) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
    return fail_errno("socketpair", errno);
  UniqueFd ours(ends[0]);
  given_ = UniqueFd(ends[1]);
  BIO* bio = make_socket_bio(connection.get());
  ::SSL_set_bio(session(), bio, bio);
  ErrorCondition error;
  outer_.descriptor.assign(connection.get(), error);
  if (error) return fail(ErrorCode::Io, "tls: " + error.message());
  connection.release();
  inner_.descriptor.assign(ours.get(), error);
  if (error) return fail(ErrorCode::Io, "tls: " + error.message());
  ours.release();
  if (role.is_server) {
    SSL_set_app_data(session(), const_cast<char*>(role.protocol));
    ::SSL_set_accept_state(session());
    return {};
  }
  ::SSL_set_connect_state(session());
  const std::string& name = role.server_name;
  std::array<unsigned char, sizeof(in6_addr)> ip{};
  const bool is_ip = ::inet_pton(AF_INET, name.c_str(), ip.data()) == 1 ||
                     ::inet_pton(AF_INET6, name.c_str(), ip.data()) == 1;
  X509_VERIFY_PARAM* parameters = ::SSL_get0_param(session());
  const int set = is_ip ? ::X509_VERIFY_PARAM_set1_ip_asc(parameters, name.c_str())
                        : ::SSL_set1_host(session(), name.c_str());
  if (set != 1 || name.empty())
    return fail(ErrorCode::InvalidArgument, "tls: no name to expect in the certificate");
  if (!is_ip) ::SSL_set_tlsext_host_name(session(), name.c_str());
  return {};
}

void TlsStream::go_on() {
  if (is_closed_) return;
  outer_.wants_read = outer_.wants_write = inner_.wants_read = inner_.wants_write = false;
  carried_ = 0;
  if (is_open_) {
    carry();
  } else {
    shake_hands();
  }
  if (is_closed_) return;
  if (carried_ >= kTurnBytes) {
    asio::post(loop_.context(), [self = shared_from_this()] { self->go_on(); });
    return;
  }
  arm(outer_);
  arm(inner_);
  await_hangup();
}

void TlsStream::shake_hands() {
  ::ERR_clear_error();
  if (!has_heard_) {
    char byte = 0;
    has_heard_ = ::recv(outer_.descriptor.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
  }
  const int result = ::SSL_do_handshake(session());
  if (result == 1) {
    finish_handshake();
  } else if (!note_wish(result)) {
    fail_handshake();
  }
}

void TlsStream::finish_handshake() {
  is_open_ = true;
  const Done done = std::exchange(done_, nullptr);
  UniqueFd given = std::move(given_);
  // The other side may go on as soon as it has its end.
  if (done != nullptr) done(std::move(given));
  if (!is_closed_) carry();
}

void TlsStream::fail_handshake() {
  std::string cause;
  const long verified = ::SSL_get_verify_result(session());
  const unsigned long code = ::ERR_peek_last_error();
  const char* reason = code == 0 ? nullptr : ::ERR_reason_error_string(code);
  if (verified != X509_V_OK) {
    cause = std::string("certificate refused: ") + ::X509_verify_cert_error_string(verified);
  } else if (reason != nullptr) {
    cause = reason;
  } else if (has_heard_) {
    cause = "the connection was closed in the handshake";
  }
  ::ERR_clear_error();
  const Done done = std::exchange(done_, nullptr);
  close();
  if (done != nullptr) done(fail(ErrorCode::Unavailable, cause.empty() ? "" : "tls: " + cause));
}

bool TlsStream::note_wish(int result) {
  switch (::SSL_get_error(session(), result)) {
    case SSL_ERROR_WANT_READ: outer_.wants_read = true; return true;
    case SSL_ERROR_WANT_WRITE: outer_.wants_write = true; return true;
    default: return false;
  }
}

void TlsStream::carry() {
  carry_in();
  if (is_closed_) return;
  carry_out();
  if (is_closed_) return;
  look_at_plain_end();
  if (is_closed_) return;
  if (outer_.is_at_end && inner_.is_at_end && outer_.pending.empty() && inner_.pending.empty())
    close();
}

// From TLS to the plain side.
void TlsStream::carry_in() {
  std::array<char, kChunkBytes> chunk;
  while (flush_in() && !outer_.is_at_end && carried_ < kTurnBytes) {
    ::ERR_clear_error();
    const int got = ::SSL_read(session(), chunk.data(), static_cast<int>(chunk.size()));
    if (got > 0) {
      inner_.pending.assign(chunk.data(), static_cast<std::size_t>(got));
      carried_ += static_cast<std::size_t>(got);
      continue;
    }
    if (::SSL_get_error(session(), got) == SSL_ERROR_ZERO_RETURN) {
      outer_.is_at_end = true;
      continue;
    }
    if (!note_wish(got)) close();
    break;
  }
  if (is_closed_) return;
  if (outer_.is_at_end && inner_.pending.empty() && !inner_.is_shut) {
    inner_.is_shut = true;
    ::shutdown(inner_fd(), SHUT_WR);
  }
}

// False: the rest has to wait, or has nobody who takes it.
bool TlsStream::flush_in() {
  std::size_t sent = 0;
  std::string& pending = inner_.pending;
  while (sent < pending.size()) {
    const ssize_t size =
        ::send(inner_fd(), pending.data() + sent, pending.size() - sent, MSG_NOSIGNAL);
    if (size > 0) {
      sent += static_cast<std::size_t>(size);
    } else if (errno == EAGAIN) {
      inner_.wants_write = true;
      break;
    } else if (errno != EINTR) {
      sent = pending.size();  // The plain side is closed; what it sent may still leave.
      outer_.is_at_end = inner_.is_shut = true;
    }
  }
  pending.erase(0, sent);
  if (pending.empty()) std::string().swap(pending);
  return pending.empty();
}

// From the plain side to TLS.
void TlsStream::carry_out() {
  std::array<char, kChunkBytes> chunk;
  while (flush_out() && !inner_.is_at_end && carried_ < kTurnBytes) {
    const ssize_t got = ::recv(inner_fd(), chunk.data(), chunk.size(), 0);
    if (got > 0) {
      outer_.pending.assign(chunk.data(), static_cast<std::size_t>(got));
      carried_ += static_cast<std::size_t>(got);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
      inner_.is_at_end = true;
    } else if (errno == EAGAIN) {
      inner_.wants_read = true;
      break;
    }
  }
  if (is_closed_) return;
  if (inner_.is_at_end && outer_.pending.empty() && !outer_.is_shut) {
    outer_.is_shut = true;
    ::ERR_clear_error();
    ::SSL_shutdown(session());
  }
}

bool TlsStream::flush_out() {
  std::string& pending = outer_.pending;
  std::size_t sent = 0;
  while (sent < pending.size()) {
    ::ERR_clear_error();
    const int size =
        ::SSL_write(session(), pending.data() + sent, static_cast<int>(pending.size() - sent));
    if (size > 0) {
      sent += static_cast<std::size_t>(size);
      continue;
    }
    if (!note_wish(size)) {
      close();
      return false;
    }
    break;
  }
  pending.erase(0, sent);
  if (pending.empty()) std::string().swap(pending);
  return pending.empty();
}

// A plain side that is closed, not only half, takes nothing any more.
void TlsStream::look_at_plain_end() {
  if (!inner_.is_at_end) return;
  pollfd entry{inner_fd(), 0, 0};
  if (::poll(&entry, 1, 0) != 1 || (entry.revents & (POLLHUP | POLLERR)) == 0) return;
  if (outer_.pending.empty()) {
    close();
    return;
  }
  if (linger_ != nullptr) return;
  linger_ = loop_.make_timer();
  linger_->start(kTlsLinger, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->close();
  });
}

void TlsStream::arm(Side& side) {
  if (side.wants_read && !side.waits_to_read) {
    side.waits_to_read = true;
    side.descriptor.async_wait(Descriptor::wait_read,
                               [self = shared_from_this(), &side](const ErrorCondition& error) {
                                 side.waits_to_read = false;
                                 if (!error) self->go_on();
                               });
  }
  if (side.wants_write && !side.waits_to_write) {
    side.waits_to_write = true;
    side.descriptor.async_wait(Descriptor::wait_write,
                               [self = shared_from_this(), &side](const ErrorCondition& error) {
                                 side.waits_to_write = false;
                                 if (!error) self->go_on();
                               });
  }
}

// Behind a half close from the plain side its full close makes nothing readable.
void TlsStream::await_hangup() {
  if (!inner_.is_at_end || inner_.waits_for_hangup) return;
  inner_.waits_for_hangup = true;
  inner_.descriptor.async_wait(Descriptor::wait_error,
                               [self = shared_from_this()](const ErrorCondition& error) {
                                 if (!error) self->go_on();
                               });
}

void TlsStream::close() {
  if (is_closed_) return;
  is_closed_ = true;
  linger_ = nullptr;
  ErrorCondition ignored;
  outer_.descriptor.close(ignored);
  inner_.descriptor.close(ignored);
  given_.reset();
}

class Handshake final : public TlsHandshake {
 public:
  explicit Handshake(const std::shared_ptr<TlsStream>& stream) : stream_(stream) {}
  ~Handshake() override {
    if (const auto stream = stream_.lock()) stream->abandon();
  }

 private:
  std::weak_ptr<TlsStream> stream_;  // What it waits for keeps it alive, and what waits for it.
};

}  // namespace

std::unique_ptr<TlsHandshake> start_tls(Loop& loop, const Tls& tls, UniqueFd connection,
                                        TlsRole role, std::function<void(Result<UniqueFd>)> done) {
  auto stream = std::make_shared<TlsStream>(
      loop, role.is_server ? tls.server_context() : tls.client_context());
  if (auto opened = stream->open(std::move(connection), role); !opened) {
    asio::post(loop.context(),
               [done = std::move(done), error = opened.error()] { done(fail(error)); });
    return std::make_unique<Handshake>(stream);
  }
  stream->start(std::move(done));
  return std::make_unique<Handshake>(stream);
}

}  // namespace dkron::net
