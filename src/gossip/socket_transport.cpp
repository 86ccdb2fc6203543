#include "gossip/socket_transport.h"

#include <sys/socket.h>

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <utility>

#include "base/log.h"
#include "gossip/stream.h"

namespace dkron::gossip {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using asio::ip::udp;
using boost::system::error_code;

constexpr std::size_t kMaxDatagramBytes = 65'536;
constexpr int kReceiveBufferBytes = 2 << 20;
constexpr int kBacklog = 128;
// Packets taken in one turn, so that a flood does not starve the rest of the loop.
constexpr int kPacketsPerTurn = 64;
constexpr int kBindAttempts = 16;
constexpr Duration kAcceptBackOff = milliseconds(100);

asio::ip::address to_asio(const Ip& ip) {
  if (ip.is_absent()) return asio::ip::address_v6::any();
  return asio::ip::make_address(ip.to_string());
}

template <class AsioEndpoint>
Endpoint from_asio(const AsioEndpoint& endpoint) {
  const asio::ip::address address = endpoint.address();
  Endpoint result;
  result.port = endpoint.port();
  if (address.is_v4()) {
    const auto bytes = address.to_v4().to_bytes();
    result.ip = *Ip::from_wire({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    return result;
  }
  const asio::ip::address_v6 v6 = address.to_v6();
  if (v6.is_v4_mapped()) {
    const auto bytes = asio::ip::make_address_v4(asio::ip::v4_mapped, v6).to_bytes();
    result.ip = *Ip::from_wire({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    return result;
  }
  const auto bytes = v6.to_bytes();
  result.ip = *Ip::from_wire({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  return result;
}

}  // namespace

// What handlers that are still under way may touch after the transport is gone.
struct SocketTransport::Shared {
  Shared(net::Loop& loop, const Framing& f, Handlers h)
      : context(loop.context()),
        packets(context),
        acceptor(context),
        accept_timer(context),
        framing(f),
        handlers(std::move(h)) {}

  asio::io_context& context;
  udp::socket packets;
  tcp::acceptor acceptor;
  asio::steady_timer accept_timer;
  const Framing& framing;
  Handlers handlers;
  Duration stream_timeout{};
  std::function<bool(const Endpoint&)> loses_packets;
  bool is_open = true;
  bool is_v6_socket = false;
  std::size_t incoming = 0;
  std::size_t outgoing = 0;
  std::size_t pending_bytes = 0;  // Of messages that are not complete yet.
  std::array<char, kMaxDatagramBytes> buffer{};

  bool loses(const Endpoint& other) const { return loses_packets && loses_packets(other); }

  // The form of an address that the bound socket can send to.
  asio::ip::address reachable(const Ip& ip) const {
    const asio::ip::address address = to_asio(ip);
    if (is_v6_socket && address.is_v4()) {
      return asio::ip::make_address_v6(asio::ip::v4_mapped, address.to_v4());
    }
    return address;
  }
};

// One TCP connection: writes one message, reads one, under one deadline. Kept alive by its
// handlers.
class SocketTransport::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<Shared> shared, tcp::socket socket, StreamRole remote)
      : shared_(std::move(shared)),
        socket_(std::move(socket)),
        timer_(shared_->context),
        reader_(shared_->framing, remote) {}
  virtual ~Connection() { shared_->pending_bytes -= pending_bytes_; }

 protected:
  void set_deadline(Duration timeout) {
    timer_.expires_after(timeout);
    timer_.async_wait([self = shared_from_this()](const error_code& error) {
      if (!error) self->end(fail(ErrorCode::Timeout, "no answer in time"));
    });
  }
  void read() {
    socket_.async_read_some(asio::buffer(buffer_),
                            [self = shared_from_this()](const error_code& error, std::size_t size) {
                              self->on_read(error, size);
                            });
  }
  void write(const StreamMessage& message, StreamRole role) {
    outgoing_ = seal_stream(message, role, shared_->framing);
    asio::async_write(socket_, asio::buffer(outgoing_),
                      [self = shared_from_this()](const error_code& error, std::size_t) {
                        if (error) {
                          self->end(fail(ErrorCode::Unavailable, error.message()));
                        } else {
                          self->on_written();
                        }
                      });
  }
  virtual void on_written() = 0;
  virtual void on_message(const StreamMessage& message) = 0;
  virtual void on_end(const Error& error) = 0;

  // Ends it once, with the reason.
  void end(tl::unexpected<Error> reason) {
    if (std::exchange(has_ended_, true)) return;
    timer_.cancel();
    error_code ignored;
    socket_.close(ignored);
    if (shared_->is_open) on_end(reason.value());
  }
  void close() {
    if (std::exchange(has_ended_, true)) return;
    timer_.cancel();
    error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_both, ignored);
    socket_.close(ignored);
  }

  std::shared_ptr<Shared> shared_;
  tcp::socket socket_;

 private:
  void on_read(const error_code& error, std::size_t size_bytes) {
    if (has_ended_) return;
    if (!shared_->is_open) return close();
    if (error) {
      const std::string reason =
          error == asio::error::eof ? "the connection was closed early" : error.message();
      return end(fail(ErrorCode::Unavailable, reason));
    }
    pending_bytes_ += size_bytes;
    shared_->pending_bytes += size_bytes;
    if (shared_->pending_bytes > kMaxPendingBytes) {
      return end(fail(ErrorCode::Overloaded, "too much arrives at once"));
    }
    const auto message = reader_.feed({buffer_.data(), size_bytes});
    if (!message) return end(fail(message.error()));
    if (!message->has_value()) return read();
    on_message(**message);
  }

  asio::steady_timer timer_;
  StreamReader reader_;
  std::array<char, 16'384> buffer_{};
  std::string outgoing_;
  std::size_t pending_bytes_ = 0;
  bool has_ended_ = false;
};

// Somebody else dialled.
class SocketTransport::Incoming final : public Connection {
 public:
  Incoming(std::shared_ptr<Shared> shared, tcp::socket socket)
      : Connection(std::move(shared), std::move(socket), StreamRole::Dialler) {
    ++shared_->incoming;
  }
  ~Incoming() override { --shared_->incoming; }
  void start() {
    set_deadline(shared_->stream_timeout);
    read();
  }

 private:
  void on_message(const StreamMessage& message) override {
    const std::optional<StreamMessage> reply = shared_->handlers.on_stream(message);
    if (!reply) return close();
    write(*reply, StreamRole::Acceptor);
  }
  void on_written() override { close(); }
  void on_end(const Error& error) override {
    log::debug("gossip: a connection ended early", {{"reason", error}});
  }
};

// We dialled.
class SocketTransport::Outgoing final : public Connection {
 public:
  Outgoing(std::shared_ptr<Shared> shared, Reply on_reply)
      : Connection(shared, tcp::socket(shared->context), StreamRole::Acceptor),
        on_reply_(std::move(on_reply)) {
    ++shared_->outgoing;
  }
  ~Outgoing() override { --shared_->outgoing; }
  void start(const Endpoint& to, StreamMessage request, Duration timeout) {
    set_deadline(timeout);
    const auto self = std::static_pointer_cast<Outgoing>(shared_from_this());
    socket_.async_connect({to_asio(to.ip), to.port},
                          [self, request = std::move(request)](const error_code& error) {
                            if (error) {
                              self->end(fail(ErrorCode::Unavailable, error.message()));
                            } else {
                              self->write(request, StreamRole::Dialler);
                            }
                          });
  }

 private:
  void on_written() override { read(); }
  void on_message(const StreamMessage& message) override {
    close();
    on_reply_(message);
  }
  void on_end(const Error& error) override { on_reply_(fail(error)); }

  Reply on_reply_;
};

namespace {

// Both sockets on one port; with port 0 the system chooses for UDP and TCP has to follow.
template <class Socket, class AsioEndpoint>
error_code open_socket(Socket& socket, const AsioEndpoint& endpoint) {
  error_code error;
  socket.close(error);
  socket.open(endpoint.protocol(), error);
  if (error) return error;
  if (endpoint.address().is_v6()) socket.set_option(asio::ip::v6_only(false), error);
  if constexpr (std::is_same_v<Socket, tcp::acceptor>) {
    socket.set_option(asio::socket_base::reuse_address(true), error);
  }
  if (error) return error;
  socket.bind(endpoint, error);
  return error;
}

}  // namespace

SocketTransport::SocketTransport(std::shared_ptr<Shared> shared, Endpoint local)
    : shared_(std::move(shared)), local_(local) {}

SocketTransport::~SocketTransport() {
  shared_->is_open = false;
  error_code ignored;
  shared_->packets.close(ignored);
  shared_->acceptor.close(ignored);
  shared_->accept_timer.cancel();
}

Result<std::unique_ptr<SocketTransport>> SocketTransport::open(net::Loop& loop,
                                                               const Options& options,
                                                               const Framing& framing,
                                                               Handlers handlers) {
  auto shared = std::make_shared<Shared>(loop, framing, std::move(handlers));
  shared->stream_timeout = options.stream_timeout;
  shared->loses_packets = options.loses_packets;
  const asio::ip::address address = to_asio(options.bind.ip);
  shared->is_v6_socket = address.is_v6();
  error_code error;
  for (int attempt = 0; attempt < kBindAttempts; ++attempt) {
    error = open_socket(shared->packets, udp::endpoint(address, options.bind.port));
    if (error) break;
    const std::uint16_t port = shared->packets.local_endpoint().port();
    error = open_socket(shared->acceptor, tcp::endpoint(address, port));
    if (!error || options.bind.port != 0) break;
  }
  if (!error) shared->acceptor.listen(kBacklog, error);
  if (error) {
    return fail(ErrorCode::Unavailable,
                "gossip cannot listen on " + options.bind.to_string() + ": " + error.message());
  }
  shared->packets.non_blocking(true, error);
  shared->packets.set_option(asio::socket_base::receive_buffer_size(kReceiveBufferBytes), error);
  const Endpoint local{options.bind.ip, shared->packets.local_endpoint().port()};
  auto transport = std::unique_ptr<SocketTransport>(new SocketTransport(shared, local));
  receive(shared);
  accept(shared);
  return transport;
}

void SocketTransport::receive(const std::shared_ptr<Shared>& shared) {
  shared->packets.async_wait(udp::socket::wait_read, [shared](const error_code& error) {
    if (error || !shared->is_open) return;
    for (int i = 0; i < kPacketsPerTurn && shared->is_open; ++i) {
      udp::endpoint from;
      error_code receive_error;
      const std::size_t size_bytes =
          shared->packets.receive_from(asio::buffer(shared->buffer), from, 0, receive_error);
      if (receive_error == asio::error::would_block) break;
      // An ICMP answer to an earlier packet of ours shows up here; it says nothing of the next.
      if (receive_error) continue;
      const Endpoint sender = from_asio(from);
      if (shared->loses(sender)) continue;
      shared->handlers.on_packet(sender, {shared->buffer.data(), size_bytes});
    }
    if (shared->is_open) receive(shared);
  });
}

// Takes the next connection; beyond the limit it is closed without a word, as peers do.
void SocketTransport::accept(const std::shared_ptr<Shared>& shared) {
  shared->acceptor.async_accept([shared](const error_code& error, tcp::socket socket) {
    if (!shared->is_open || error == asio::error::operation_aborted) return;
    if (error) return accept_later(shared);
    if (shared->incoming < kMaxIncoming) {
      std::make_shared<Incoming>(shared, std::move(socket))->start();
    }
    accept(shared);
  });
}

// Out of descriptors, say: trying again at once would keep the loop busy for nothing.
void SocketTransport::accept_later(const std::shared_ptr<Shared>& shared) {
  shared->accept_timer.expires_after(kAcceptBackOff);
  shared->accept_timer.async_wait([shared](const error_code& error) {
    if (!error && shared->is_open) accept(shared);
  });
}

void SocketTransport::send_packet(const Endpoint& to, std::string datagram) {
  if (shared_->loses(to)) return;
  error_code error;
  shared_->packets.send_to(asio::buffer(datagram), {shared_->reachable(to.ip), to.port}, 0, error);
  if (error) {
    log::debug("gossip: a packet could not be sent",
               {{"to", to.to_string()}, {"reason", error.message()}});
  }
}

void SocketTransport::exchange(const Endpoint& to, StreamMessage request, Duration timeout,
                               Reply on_reply) {
  if (shared_->outgoing >= kMaxOutgoing) {
    asio::post(shared_->context, [on_reply = std::move(on_reply)] {
      on_reply(fail(ErrorCode::Overloaded, "too many connections at once"));
    });
    return;
  }
  std::make_shared<Outgoing>(shared_, std::move(on_reply))->start(to, std::move(request), timeout);
}

}  // namespace dkron::gossip
