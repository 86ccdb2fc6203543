// The shared port and dialling, plain and with TLS, over loopback connections.
#include "net/port.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>

#include "base/test_directory.h"
#include "net/http_server.h"
#include "net/test_certificates.h"
#include "net/test_support.h"
#include "net/worker_pool.h"

namespace dkron::net {
namespace {

using test::kPatience;
using test::LoopThread;
using test::RawClient;

struct Taken {
  char kind = 0;  // 'g' or 'r'.
  UniqueFd connection;
  std::string peer;
};

void write_all_bytes(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t size = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (size > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(size));
    } else if (!test::wait_for(fd, POLLOUT)) {
      ADD_FAILURE() << "nothing is taken";
      return;
    }
  }
}

// Until `size` bytes are there, or the end.
std::string read_bytes(int fd, std::size_t size) {
  std::string bytes;
  std::string chunk(64 * 1024, '\0');
  while (bytes.size() < size && test::wait_for(fd, POLLIN)) {
    const ssize_t got = ::recv(fd, chunk.data(), std::min(chunk.size(), size - bytes.size()), 0);
    if (got == 0 || (got < 0 && errno != EAGAIN)) break;
    if (got > 0) bytes.append(chunk, 0, static_cast<std::size_t>(got));
  }
  return bytes;
}

class PortTest : public testing::Test {
 protected:
  ~PortTest() override {
    loop_.run([&] { port_.reset(); });
  }
  void listen(Port::Options options, bool has_raft = true) {
    const auto take = [this](char kind) {
      return [this, kind](UniqueFd fd, std::string peer) {
        const std::lock_guard lock(mutex_);
        taken_.push_back({kind, std::move(fd), std::move(peer)});
        changed_.notify_all();
      };
    };
    loop_.run([&] {
      options.host = "127.0.0.1";
      auto port =
          Port::listen(loop_.loop(), options, {take('g'), has_raft ? take('r') : Port::Handler()});
      ASSERT_TRUE(port) << port.error().message;
      port_ = std::move(*port);
    });
    number_ = port_->port();
  }
  Taken wait_taken() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, kPatience, [&] { return !taken_.empty(); })) {
      ADD_FAILURE() << "nothing was handed over";
      return {};
    }
    Taken one = std::move(taken_.front());
    taken_.erase(taken_.begin());
    return one;
  }
  std::size_t taken() {
    const std::lock_guard lock(mutex_);
    return taken_.size();
  }
  Result<UniqueFd> dial_port(TlsPtr tls = nullptr, const std::string& server_name = "") {
    DialOptions options;
    options.address = "127.0.0.1:" + std::to_string(number_);
    options.tls = std::move(tls);
    options.server_name = server_name;
    return dial_with(options);
  }
  Result<UniqueFd> dial_with(const DialOptions& options) {
    std::promise<Result<UniqueFd>> answer;
    loop_.run([&] {
      dial(loop_.loop(), workers_, options,
           [&](Result<UniqueFd> result) { answer.set_value(std::move(result)); });
    });
    return answer.get_future().get();
  }

  LoopThread loop_;
  WorkerPool workers_{1};
  std::unique_ptr<Port> port_;
  std::uint16_t number_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Taken> taken_;
};

TEST_F(PortTest, hands_over_by_the_first_byte_and_takes_nothing) {
  listen({});
  for (const auto& [text, kind] : {std::pair{"PRI * HTTP/2.0", 'g'}, {"DKRAFT1", 'r'}}) {
    RawClient client(number_);
    client.send(text);
    const Taken taken = wait_taken();
    EXPECT_EQ(taken.kind, kind);
    EXPECT_EQ(read_bytes(taken.connection.get(), std::strlen(text)), text);
    EXPECT_EQ(taken.peer.find("127.0.0.1:"), 0U);
    EXPECT_NE(::fcntl(taken.connection.get(), F_GETFL) & O_NONBLOCK, 0);
    EXPECT_NE(::fcntl(taken.connection.get(), F_GETFD) & FD_CLOEXEC, 0);
  }
}

TEST_F(PortTest, closes_what_is_for_nobody) {
  listen({}, false);
  for (const char* text : {"GET / HTTP/1.1", "\x16\x03\x01", "DKRAFT1", "\xff"}) {
    RawClient client(number_);
    client.send(text);
    EXPECT_TRUE(client.sees_the_end()) << text;
  }
  EXPECT_EQ(taken(), 0U);
}

TEST_F(PortTest, closes_silent_clients_and_bears_probes) {
  Port::Options options;
  options.first_byte_limit = milliseconds(50);
  listen(options);
  RawClient silent(number_);
  for (int i = 0; i < 100; ++i) RawClient probe(number_);
  EXPECT_TRUE(silent.sees_the_end());
  RawClient good(number_);
  good.send("P");
  EXPECT_EQ(wait_taken().kind, 'g');
}

TEST_F(PortTest, more_silent_clients_than_it_bears_wait_for_their_turn) {
  Port::Options options;
  options.first_byte_limit = milliseconds(200);
  listen(options);
  std::vector<std::unique_ptr<RawClient>> silent;
  for (std::size_t i = 0; i < Port::kPendingLimit + 20; ++i)
    silent.push_back(std::make_unique<RawClient>(number_));
  RawClient good(number_);
  good.send("P");
  EXPECT_EQ(wait_taken().kind, 'g');
}

TEST_F(PortTest, dials) {
  listen({});
  const auto connection = dial_port();
  ASSERT_TRUE(connection) << connection.error().message;
  write_all_bytes(connection->get(), "D");
  EXPECT_EQ(wait_taken().kind, 'r');
  const auto bad = dial_with({"127.0.0.1", seconds(1), nullptr, ""});
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, ErrorCode::InvalidArgument);
  loop_.run([&] { port_.reset(); });
  const auto refused = dial_port();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::Unavailable);
  EXPECT_NE(refused.error().message.find("refused"), std::string::npos) << refused.error().message;
}

class TlsPortTest : public PortTest {
 protected:
  // Files of one node, written anew by each call with the same name.
  TlsFiles write(const std::string& name, const test::Pair& pair, const std::string& trusted) {
    const Path base = directory_.path() / name;
    TlsFiles files;
    files.certificate = test::write_text(base.string() + ".pem", pair.certificate);
    files.key = test::write_text(base.string() + ".key", pair.key);
    files.trusted = test::write_text(base.string() + ".ca", trusted);
    return files;
  }
  TlsPtr open(const std::string& name, const test::Pair& pair) {
    auto tls = Tls::open(write(name, pair, authority_.pem()));
    EXPECT_TRUE(tls) << tls.error().message;
    return *tls;
  }
  void listen_with(const TlsPtr& tls, Duration limit = Port::kFirstByteLimit) {
    Port::Options options;
    options.tls = tls;
    options.first_byte_limit = limit;
    listen(options);
  }
  // Both ends of a connection, the dialling one first.
  std::pair<UniqueFd, UniqueFd> connect(const TlsPtr& tls) {
    auto near = dial_port(tls);
    EXPECT_TRUE(near) << near.error().message;
    if (!near) return {};
    write_all_bytes(near->get(), "P");
    Taken taken = wait_taken();
    EXPECT_EQ(read_bytes(taken.connection.get(), 1), "P");
    return {std::move(*near), std::move(taken.connection)};
  }

  const testing_support::TemporaryDirectory directory_;
  test::Authority authority_;
};

TEST_F(TlsPortTest, carries_ten_megabytes_both_ways_past_a_slow_reader) {
  const TlsPtr tls = open("node", authority_.issue());
  listen_with(tls);
  auto [near, far] = connect(tls);
  constexpr std::size_t kSize = 10 * 1024 * 1024;
  std::string there(kSize, '\0');
  for (std::size_t i = 0; i < kSize; ++i) there[i] = static_cast<char>(i * 7 + i / 251);
  const std::string back(there.rbegin(), there.rend());
  std::thread writer([&, fd = near.get()] { write_all_bytes(fd, there); });
  std::thread other_writer([&, fd = far.get()] { write_all_bytes(fd, back); });
  // Nothing is read until both sides are full; the loop is free meanwhile.
  for (const int fd : {near.get(), far.get()}) {
    pollfd entry{fd, POLLOUT, 0};
    const Duration until = system_clock().steady() + kPatience;
    while (::poll(&entry, 1, 0) == 1 && system_clock().steady() < until) loop_.run([] {});
  }
  std::string seen_far;
  std::thread reader([&, fd = far.get()] { seen_far = read_bytes(fd, kSize); });
  EXPECT_TRUE(read_bytes(near.get(), kSize) == back);
  reader.join();
  writer.join();
  other_writer.join();
  EXPECT_TRUE(seen_far == there);
}

TEST_F(TlsPortTest, passes_on_a_half_close_and_an_end) {
  const TlsPtr tls = open("node", authority_.issue());
  listen_with(tls);
  auto [near, far] = connect(tls);
  write_all_bytes(near.get(), "last words");
  ::shutdown(near.get(), SHUT_WR);
  EXPECT_EQ(read_bytes(far.get(), 100), "last words");
  write_all_bytes(far.get(), "answer");
  EXPECT_EQ(read_bytes(near.get(), 6), "answer");
  far.reset();
  EXPECT_EQ(read_bytes(near.get(), 100), "");
}

TEST_F(TlsPortTest, a_closed_side_closes_the_other) {
  const TlsPtr tls = open("node", authority_.issue());
  listen_with(tls);
  auto [near, far] = connect(tls);
  near.reset();
  EXPECT_EQ(read_bytes(far.get(), 100), "");
}

TEST_F(TlsPortTest, refuses_servers_that_it_does_not_trust) {
  const TlsPtr client = open("client", authority_.issue());
  const test::Authority other("another CA");
  const std::pair<TlsPtr, std::string> cases[] = {
      {open("expired", authority_.issue("IP:127.0.0.1", -60)), "certificate has expired"},
      {open("elsewhere", authority_.issue("IP:10.1.2.3")), "IP address mismatch"},
      {open("foreign", other.issue()), "unable to get local issuer certificate"},
  };
  for (const auto& [tls, why] : cases) {
    listen_with(tls);
    const auto refused = dial_port(client);
    ASSERT_FALSE(refused) << why;
    EXPECT_EQ(refused.error().code, ErrorCode::Unavailable);
    EXPECT_NE(refused.error().message.find(why), std::string::npos) << refused.error().message;
    loop_.run([&] { port_.reset(); });
  }
  EXPECT_EQ(taken(), 0U);
}

TEST_F(TlsPortTest, checks_a_name_when_one_is_expected) {
  const TlsPtr tls = open("node", authority_.issue("DNS:server.dkron"));
  listen_with(tls);
  EXPECT_TRUE(dial_port(tls, "server.dkron"));
  EXPECT_FALSE(dial_port(tls, "other.dkron"));
}

TEST_F(TlsPortTest, refuses_clients_without_a_good_certificate) {
  TlsFiles files = write("node", authority_.issue(), authority_.pem());
  files.verify_clients = true;
  files.revoked = test::write_text(directory_.path() / "crl", authority_.revoke(66));
  const auto tls = Tls::open(files);
  ASSERT_TRUE(tls) << tls.error().message;
  listen_with(*tls);
  TlsFiles bare;
  bare.trusted = files.trusted;
  const TlsPtr refused[] = {*Tls::open(bare), open("expired", authority_.issue("IP:127.0.0.1", -9)),
                            open("revoked", authority_.issue("IP:127.0.0.1", 3600, 66)),
                            open("foreign", test::Authority("other").issue())};
  for (const TlsPtr& client : refused) {
    // In TLS 1.3 a client is refused behind its own part of the handshake.
    auto connection = dial_port(client);
    if (!connection) continue;
    ::send(connection->get(), "P", 1, MSG_NOSIGNAL);
    EXPECT_EQ(read_bytes(connection->get(), 1), "");
  }
  EXPECT_EQ(taken(), 0U);
  connect(open("good", authority_.issue()));
}

TEST_F(TlsPortTest, plain_and_silent_clients_are_closed) {
  listen_with(open("node", authority_.issue()), milliseconds(100));
  RawClient plain(number_);
  plain.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  while (plain.receive()) {
  }
  RawClient silent(number_);
  EXPECT_TRUE(silent.sees_the_end());
  RawClient half(number_);
  half.send("\x16\x03\x01");
  EXPECT_TRUE(half.sees_the_end());
  EXPECT_EQ(taken(), 0U);
}

TEST_F(TlsPortTest, a_reload_is_for_new_connections_and_only_when_it_is_valid) {
  const TlsFiles files = write("node", authority_.issue(), authority_.pem());
  const TlsPtr tls = *Tls::open(files);
  const TlsPtr client = open("client", authority_.issue());
  listen_with(tls);
  auto [near, far] = connect(client);
  const std::string before = tls->texts().certificate;
  test::write_text(files.key, "no key");
  const auto bad = tls->reload();
  ASSERT_FALSE(bad);
  EXPECT_NE(bad.error().message.find("node.key"), std::string::npos) << bad.error().message;
  EXPECT_EQ(tls->texts().certificate, before);
  EXPECT_TRUE(dial_port(client));
  write("node", authority_.issue("IP:10.1.2.3"), authority_.pem());
  ASSERT_TRUE(tls->reload());
  EXPECT_NE(tls->texts().certificate, before);
  EXPECT_FALSE(dial_port(client));
  write_all_bytes(near.get(), "old one");
  EXPECT_EQ(read_bytes(far.get(), 7), "old one");
}

TEST_F(TlsPortTest, names_the_file_that_is_wrong) {
  TlsFiles files = write("node", authority_.issue(), authority_.pem());
  files.key = files.trusted;
  EXPECT_NE(Tls::open(files).error().message.find(files.key.string()), std::string::npos);
  files = write("node", authority_.issue(), authority_.pem());
  files.key = write("other", authority_.issue(), authority_.pem()).key;
  EXPECT_NE(Tls::open(files).error().message.find("not the key of the certificate"),
            std::string::npos);
  files.trusted = directory_.path() / "missing";
  EXPECT_NE(Tls::open(files).error().message.find("missing"), std::string::npos);
}

TEST_F(TlsPortTest, the_http_server_speaks_tls) {
  const TlsPtr tls = open("node", authority_.issue());
  HttpServerOptions options;
  options.host = "127.0.0.1";
  options.port = 0;
  options.tls = tls;
  std::unique_ptr<HttpServer> server;
  std::string remote;
  loop_.run([&] {
    auto made = HttpServer::listen(loop_.loop(), options, [&](Request request, Responder respond) {
      remote = request.remote;
      Response response;
      response.body = std::string(3'000'000, 'x');
      respond(std::move(response));
    });
    ASSERT_TRUE(made) << made.error().message;
    server = std::move(*made);
    number_ = server->port();
  });
  const auto connection = dial_port(tls);
  ASSERT_TRUE(connection) << connection.error().message;
  write_all_bytes(connection->get(), "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const std::string answer = read_bytes(connection->get(), 10'000'000);
  EXPECT_EQ(answer.find("HTTP/1.1 200 OK\r\n"), 0U);
  EXPECT_GT(answer.size(), 3'000'000U);
  EXPECT_EQ(remote.find("127.0.0.1:"), 0U);
  loop_.run([&] { server.reset(); });
}

}  // namespace
}  // namespace dkron::net
