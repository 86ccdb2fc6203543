// The server's life: answers from elsewhere, clients that go, overload, stop, listening.
#include <dirent.h>
#include <sys/resource.h>

#include "base/log.h"
#include "net/http_server_fixture.h"

namespace dkron::net {
namespace {

using test::HttpServerTest;
using test::RawClient;
using test::RawResponse;

TEST_F(HttpServerTest, a_dropped_responder_sends_500) {
  start();
  RawClient client(port_);
  client.send("GET /drop HTTP/1.1\r\nHost: h\r\n\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client.read_response().status, 500);
  EXPECT_EQ(client.read_response().status, 200);
}

TEST_F(HttpServerTest, answers_from_another_thread_and_only_once) {
  start();
  RawClient client(port_);
  client.send("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
  const Responder responder = wait_held(1);
  Response response;
  response.body = "first";
  responder(response);
  response.body = "second";
  responder(response);
  EXPECT_EQ(client.read_response().body, "first");
  client.send("GET /thread HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client.read_response().body, "GET /thread ");
}

TEST_F(HttpServerTest, forgets_a_client_that_went_away) {
  start();
  RawClient client(port_);
  client.send("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
  const Responder responder = wait_held(1);
  client.close();
  Response response;
  response.body = std::string(1024 * 1024, 'x');
  responder(std::move(response));
  expect_connections(0);
}

TEST_F(HttpServerTest, a_responder_may_outlive_server_and_loop) {
  std::unique_ptr<Responder> responder;
  {
    test::LoopThread loop;
    std::unique_ptr<HttpServer> server;
    std::promise<void> asked;
    loop.run([&] {
      server = *HttpServer::listen(loop.loop(), options_, [&](Request, Responder r) {
        responder = std::make_unique<Responder>(std::move(r));
        asked.set_value();
      });
    });
    RawClient client(server->port());
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    ASSERT_EQ(asked.get_future().wait_for(test::kPatience), std::future_status::ready);
    loop.run([&] { server.reset(); });
    EXPECT_TRUE(client.sees_the_end());
  }
  (*responder)(Response());
  responder.reset();
}

TEST_F(HttpServerTest, sends_a_large_shared_body_to_a_slow_reader) {
  std::string body(8 * 1024 * 1024, '\0');
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>('a' + i * 7 % 26);
  shared_ = std::make_shared<const std::string>(body);
  start();
  RawClient client(port_, 16 * 1024);
  client.send("GET /shared HTTP/1.1\r\nHost: h\r\n\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n");
  // Others are served meanwhile.
  EXPECT_EQ(ask("GET /b HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
  const RawResponse response = client.read_response();
  EXPECT_TRUE(response.body == body);
  EXPECT_EQ(client.read_response().body, "GET /a ");
  loop_.run([] {});
  EXPECT_EQ(shared_.use_count(), 1) << "the body is let go once it is sent";
}

TEST_F(HttpServerTest, gives_up_a_reader_that_takes_nothing) {
  shared_ = std::make_shared<const std::string>(8 * 1024 * 1024, 'x');
  options_.idle_timeout = milliseconds(100);
  start();
  RawClient client(port_, 16 * 1024);
  client.send("GET /shared HTTP/1.1\r\nHost: h\r\n\r\n");
  expect_connections(1);
  expect_connections(0);
}

TEST_F(HttpServerTest, refuses_connections_above_the_limit) {
  options_.connection_limit = 2;
  start();
  RawClient first(port_);
  RawClient second(port_);
  first.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
  second.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(first.read_response().status, 200);
  EXPECT_EQ(second.read_response().status, 200);
  expect_refused("GET /a HTTP/1.1\r\nHost: h\r\n\r\n", 503, "too many connections");
  EXPECT_EQ(connections(), 2U);
  first.close();
  expect_connections(1);
  EXPECT_EQ(ask("GET /a HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  DIR* directory = ::opendir("/proc/self/fd");
  while (::readdir(directory) != nullptr) ++count;
  ::closedir(directory);
  return count;
}

TEST_F(HttpServerTest, waits_out_a_lack_of_descriptors) {
  start();
  RawClient client(0);
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  std::vector<UniqueFd> hogs;
  rlimit tight = before;
  tight.rlim_cur = open_descriptors() + 8;
  ::setrlimit(RLIMIT_NOFILE, &tight);
  for (int fd = ::dup(client.fd()); fd >= 0; fd = ::dup(client.fd())) hogs.emplace_back(fd);
  log::set_level(log::Level::Error);  // The warnings are expected.
  client.connect(port_);              // By the kernel alone.
  client.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
  loop_.run([] {});
  loop_.run([] {});
  EXPECT_EQ(connections(), 0U);
  hogs.clear();
  ::setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(client.read_response().status, 200);
  log::set_level(log::Level::Info);
}

TEST_F(HttpServerTest, stop_lets_requests_end_and_closes_the_rest) {
  start();
  RawClient idle(port_);
  RawClient used(port_);
  used.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(used.read_response().status, 200);
  RawClient busy(port_);
  busy.send("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
  RawClient sending(port_);
  sending.send("POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(sending.read_response().status, 100);
  const Responder responder = wait_held(1);
  expect_connections(4);
  std::promise<void> stopped;
  std::atomic<bool> is_stopped{false};
  loop_.run([&] {
    server_->stop([&] {
      is_stopped = true;
      stopped.set_value();
    });
  });
  EXPECT_TRUE(idle.sees_the_end());
  EXPECT_TRUE(used.sees_the_end());
  EXPECT_FALSE(is_stopped);
  Response response;
  response.body = "done";
  responder(std::move(response));
  const RawResponse last = busy.read_response();
  EXPECT_EQ(last.body, "done");
  EXPECT_EQ(last.header("Connection"), "close");
  EXPECT_TRUE(busy.sees_the_end());
  sending.send("abc");
  EXPECT_EQ(sending.read_response().body, "POST /b abc");
  EXPECT_EQ(stopped.get_future().wait_for(test::kPatience), std::future_status::ready);
  const RawClient late(0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port_);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_NE(::connect(late.fd(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
}

TEST_F(HttpServerTest, stop_without_connections_calls_back_later) {
  start();
  std::promise<void> stopped;
  bool has_returned = false;
  loop_.run([&] {
    server_->stop([&] {
      EXPECT_TRUE(has_returned);
      stopped.set_value();
    });
    has_returned = true;
  });
  EXPECT_EQ(stopped.get_future().wait_for(test::kPatience), std::future_status::ready);
}

TEST_F(HttpServerTest, says_why_it_cannot_listen) {
  start();
  loop_.run([this] {
    HttpServerOptions again = options_;
    again.port = port_;
    const auto second = HttpServer::listen(loop_.loop(), again, nullptr);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().message,
              "listen tcp 127.0.0.1:" + std::to_string(port_) + ": bind: address already in use");
    again.host = "";
    const auto any = HttpServer::listen(loop_.loop(), again, nullptr);
    ASSERT_FALSE(any);
    EXPECT_EQ(any.error().message,
              "listen tcp :" + std::to_string(port_) + ": bind: address already in use");
    again.host = "192.0.2.1";
    again.port = 0;
    EXPECT_EQ(HttpServer::listen(loop_.loop(), again, nullptr).error().message,
              "listen tcp 192.0.2.1:0: bind: cannot assign requested address");
  });
}

TEST_F(HttpServerTest, an_empty_host_serves_both_families) {
  options_.host = "";
  start();
  RawClient client(port_);
  client.send("GET /remote HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client.read_response().body.substr(0, 10), "127.0.0.1:");
  UniqueFd v6(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port_);
  address.sin6_addr = in6addr_loopback;
  if (v6.is_open() &&
      ::connect(v6.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) {
    expect_connections(2);
  }
}

}  // namespace
}  // namespace dkron::net
