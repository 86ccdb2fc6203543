#include "net/http_server.h"

#include <dirent.h>
#include <sys/resource.h>

#include <condition_variable>
#include <deque>
#include <mutex>

#include "base/log.h"
#include "net/test_support.h"

namespace dkron::net {
namespace {

using test::RawClient;
using test::RawResponse;

// Answers "<method> <path> <body>"; some paths do something else.
class HttpServerTest : public testing::Test {
 protected:
  HttpServerTest() {
    options_.host = "127.0.0.1";
    options_.port = 0;
    options_.body_limit = [](Method, std::string_view path) -> std::size_t {
      return path == "/small" ? 10 : 100 * 1024 * 1024;
    };
  }
  ~HttpServerTest() override {
    loop_.run([this] {
      held_.clear();
      server_.reset();
    });
    if (worker_.joinable()) worker_.join();
  }

  void start() {
    loop_.run([this] {
      auto server =
          HttpServer::listen(loop_.loop(), options_, [this](Request request, Responder responder) {
            handle(std::move(request), std::move(responder));
          });
      ASSERT_TRUE(server) << server.error().message;
      server_ = std::move(*server);
      port_ = server_->port();
    });
  }

  void handle(Request request, Responder responder) {
    Response response;
    response.body = std::string(request.method_text) + " " + request.path + " " + request.body;
    if (request.path == "/drop") return;
    if (request.path == "/hold") {
      std::lock_guard lock(mutex_);
      held_.push_back(std::move(responder));
      changed_.notify_all();
      return;
    }
    if (request.path == "/thread") {
      if (worker_.joinable()) worker_.join();
      worker_ = std::thread([responder = std::move(responder), response] { responder(response); });
      return;
    }
    if (request.path == "/shared") response.shared_body = shared_;
    if (request.path == "/close") response.headers = {{"Connection", "close"}};
    if (request.path == "/none") response.status = 204;
    if (request.path == "/inject") {
      response.headers = {{"X-Good", "a\r\nX-Evil: b\r\n\r\n<html>"},
                          {"X-Bad\r\nX-Evil", "c"},
                          {"X-Nul", std::string("a\0b", 3)}};
    }
    if (request.path == "/own")
      response.headers = {{"Content-Length", "3"}, {"Date", "x"}, {"Transfer-Encoding", "chunked"}};
    if (request.path == "/invalid") response.status = 42;
    if (request.path == "/remote") response.body = request.remote;
    if (request.path == "/trailer")
      response.body = std::string(find_header(request.headers, "X-Late"));
    responder(std::move(response));
  }

  // Waits until `count` requests are held, and gives the last one out.
  Responder wait_held(std::size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, test::kPatience, [&] { return held_.size() >= count; }));
    return held_.back();
  }
  std::size_t connections() {
    std::size_t count = 0;
    loop_.run([&] { count = server_->connections(); });
    return count;
  }
  // Every look is a turn of the loop, so nothing here depends on time but the patience.
  void expect_connections(std::size_t wanted) {
    const Duration until = system_clock().steady() + test::kPatience;
    while (connections() != wanted && system_clock().steady() < until) {
    }
    EXPECT_EQ(connections(), wanted);
  }

  RawResponse ask(std::string_view bytes) {
    RawClient client(port_);
    client.send(bytes);
    return client.read_response();
  }
  void expect_refused(std::string_view bytes, int status, std::string_view reason) {
    RawClient client(port_);
    client.send(bytes);
    const RawResponse response = client.read_response();
    EXPECT_EQ(response.status, status) << bytes.substr(0, 80);
    EXPECT_EQ(response.body, reason) << bytes.substr(0, 80);
    EXPECT_EQ(response.header("Connection"), "close");
    EXPECT_EQ(response.header("Content-Type"), "text/plain; charset=utf-8");
    EXPECT_TRUE(client.sees_the_end());
  }

  HttpServerOptions options_;
  SharedBody shared_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Responder> held_;
  std::thread worker_;
  test::LoopThread loop_;
  std::unique_ptr<HttpServer> server_;
  std::uint16_t port_ = 0;
};

TEST_F(HttpServerTest, keeps_the_connection_for_the_next_request) {
  start();
  RawClient client(port_);
  for (int i = 0; i < 3; ++i) {
    client.send("GET /a?x=1 HTTP/1.1\r\nHost: h\r\n\r\n");
    const RawResponse response = client.read_response();
    EXPECT_EQ(response.head.substr(0, 17), "HTTP/1.1 200 OK\r\n");
    EXPECT_EQ(response.body, "GET /a ");
    EXPECT_EQ(response.header("Connection"), "");
    EXPECT_EQ(response.header("Date").substr(25), " GMT") << response.head;
  }
  EXPECT_EQ(connections(), 1U);
}

TEST_F(HttpServerTest, answers_pipelined_requests_in_order) {
  start();
  RawClient client(port_);
  client.send(
      "GET /thread HTTP/1.1\r\nHost: h\r\n\r\n"
      "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nxyz"
      "GET /c HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client.read_response().body, "GET /thread ");
  EXPECT_EQ(client.read_response().body, "POST /b xyz");
  EXPECT_EQ(client.read_response().body, "GET /c ");
}

TEST_F(HttpServerTest, answers_thousands_of_pipelined_requests) {
  start();
  RawClient client(port_);
  std::string requests;
  for (int i = 0; i < 2000; ++i)
    requests += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\n\r\n";
  std::thread sender([&] { client.send(requests); });
  for (int i = 0; i < 2000; ++i)
    ASSERT_EQ(client.read_response().body, "GET /" + std::to_string(i) + " ");
  sender.join();
}

TEST_F(HttpServerTest, reads_a_request_that_comes_byte_by_byte) {
  start();
  RawClient client(port_);
  const int on = 1;
  ::setsockopt(client.fd(), IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof(on));
  for (const char c : std::string("PUT /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                                  "3\r\nabc\r\n0\r\n\r\n")) {
    client.send(std::string(1, c));
  }
  EXPECT_EQ(client.read_response().body, "PUT /x abc");
}

TEST_F(HttpServerTest, joins_chunks_and_drops_trailers) {
  start();
  EXPECT_EQ(ask("POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                "4\r\nabcd\r\nA;name=value\r\n0123456789\r\n0\r\nX-Late: y\r\n\r\n")
                .body,
            "POST /c abcd0123456789");
  EXPECT_EQ(ask("POST /trailer HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                "0\r\nX-Late: y\r\n\r\n")
                .body,
            "");
}

TEST_F(HttpServerTest, tells_a_waiting_client_to_continue) {
  start();
  RawClient client(port_);
  client.send("POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.read_response().head, "HTTP/1.1 100 Continue\r\n");
  client.send("body");
  EXPECT_EQ(client.read_response().body, "POST /e body");
  client.send(
      "POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\nbody");
  EXPECT_EQ(client.read_response().status, 200) << "the body was there already";
  client.send("POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.read_response().status, 100);
  client.send("b");
  EXPECT_EQ(client.read_response().body, "POST /e b");
}

TEST_F(HttpServerTest, answers_head_with_the_length_and_no_body) {
  start();
  RawClient client(port_);
  client.send("HEAD /abc HTTP/1.1\r\nHost: h\r\n\r\nGET /next HTTP/1.1\r\nHost: h\r\n\r\n");
  const RawResponse head = client.read_response(true);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.header("Content-Length"), "10");
  EXPECT_EQ(client.read_response().body, "GET /next ");
}

TEST_F(HttpServerTest, refuses_a_large_body_before_it_is_sent) {
  start();
  expect_refused(
      "POST /small HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n", 413,
      "request body is too large");
  expect_refused(
      "POST /small HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n5\r\n",
      413, "request body is too large");
  expect_refused("POST /big HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\n", 413,
                 "request body is too large");
  EXPECT_EQ(ask("POST /small HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n0123456789").status,
            200);
}

TEST_F(HttpServerTest, an_answer_survives_the_body_that_nobody_reads) {
  start();
  RawClient client(port_);
  const std::string body(4 * 1024 * 1024, 'x');
  client.send("POST /small HTTP/1.1\r\nHost: h\r\nContent-Length: 4194304\r\n\r\n" + body);
  EXPECT_EQ(client.read_response().status, 413);
}

TEST_F(HttpServerTest, refuses_headers_above_the_limit) {
  options_.header_limit_bytes = 8 * 1024;
  start();
  const std::string reason = "request headers are too large";
  expect_refused("GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(9000, 'x') + "\r\n\r\n", 431,
                 reason);
  expect_refused("GET /" + std::string(9000, 'x'), 431, reason);
  std::string many = "GET / HTTP/1.1\r\nHost: h\r\n";
  while (many.size() < 9000) many += "A: b\r\n";
  expect_refused(many, 431, reason);
  expect_refused(
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + many.substr(25),
      431, "request trailers are too large");
  EXPECT_EQ(ask("GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(8000, 'x') + "\r\n\r\n").status,
            200);
}

TEST_F(HttpServerTest, headers_sent_in_many_packets_count_together) {
  options_.header_limit_bytes = 4 * 1024;
  start();
  RawClient client(port_);
  client.send("GET / HTTP/1.1\r\nHost: h\r\n");
  for (int i = 0; i < 1000; ++i) client.send("A: bcdef\r\n");
  EXPECT_EQ(client.read_response().status, 431);
}

TEST_F(HttpServerTest, refuses_what_is_no_http) {
  start();
  const std::string host = "Host: h\r\n";
  expect_refused("\x16\x03\x01\x02", 400, "malformed method");
  expect_refused("GET\r\n\r\n", 400, "malformed method");
  expect_refused("GET / HTTP/3.0\r\n\r\n", 400, "malformed or unsupported HTTP version");
  expect_refused("GET / HTTP/1.1\n\n", 400, "malformed or unsupported HTTP version");
  expect_refused("GET foo HTTP/1.1\r\n" + host + "\r\n", 400, "malformed request target");
  expect_refused("GET / HTTP/1.1\r\n\r\n", 400, "missing required Host header");
  expect_refused("GET / HTTP/1.1\r\n" + host + host + "\r\n", 400, "too many Host headers");
  expect_refused("GET / HTTP/1.1\r\nHost : h\r\n\r\n", 400, "malformed header name");
  expect_refused("GET / HTTP/1.1\r\n" + host + "X: a\x01\r\n\r\n", 400, "malformed header value");
}

TEST_F(HttpServerTest, refuses_what_two_readers_could_cut_differently) {
  start();
  const std::string begin = "POST / HTTP/1.1\r\nHost: h\r\n";
  const std::string chunked = begin + "Transfer-Encoding: chunked\r\n";
  expect_refused(chunked + "Content-Length: 3\r\n\r\n0\r\n\r\n", 400, "malformed Content-Length");
  expect_refused(begin + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
                 "malformed Transfer-Encoding");
  expect_refused(begin + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400,
                 "malformed Content-Length");
  expect_refused(begin + "Content-Length: -1\r\n\r\n", 400, "malformed Content-Length");
  expect_refused(begin + "Transfer-Encoding: gzip\r\n\r\n", 501, "unsupported transfer encoding");
  expect_refused(begin + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501,
                 "unsupported transfer encoding");
  expect_refused("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
                 "Transfer-Encoding in an HTTP/1.0 request");
  expect_refused(begin + "Expect: tea\r\nContent-Length: 1\r\n\r\n", 417, "unknown expectation");
  expect_refused(chunked + "\r\nzz\r\n", 400, "malformed chunk");
  expect_refused(chunked + "\r\n1 x\r\n", 400, "malformed chunk");
  expect_refused(chunked + "\r\n1\r\nabc", 400, "malformed chunk");
  expect_refused(chunked + "\r\n1\nab", 400, "malformed line ending");
  expect_refused(chunked + "\r\n10000000000000000\r\n", 400, "malformed chunk");
  expect_refused(chunked + "\r\n0\r\nno trailer\r\n\r\n", 400, "malformed trailer");
  expect_refused(chunked + "\r\n1;" + std::string(5000, 'x'), 400, "chunk line is too long");
}

TEST_F(HttpServerTest, times_out_a_client_that_sends_too_slowly) {
  options_.request_timeout = milliseconds(50);
  start();
  expect_refused("GET / HTTP/1.1\r\nHost: h\r\nX-", 408, "the request did not arrive in time");
  expect_refused("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc", 408,
                 "the request did not arrive in time");
}

TEST_F(HttpServerTest, the_time_limit_counts_from_the_first_byte) {
  options_.request_timeout = milliseconds(100);
  start();
  RawClient client(port_);
  client.send("GET / HTTP/1.1\r\n");
  // A byte for each time the socket stays silent for a moment: progress does not buy time.
  pollfd entry{client.fd(), POLLIN, 0};
  int bytes = 0;
  while (::poll(&entry, 1, 10) == 0 && ++bytes < 1000) client.send("A");
  EXPECT_LT(bytes, 1000);
  EXPECT_EQ(client.read_response().status, 408);
}

TEST_F(HttpServerTest, closes_an_idle_connection_without_a_word) {
  options_.idle_timeout = milliseconds(50);
  start();
  RawClient fresh(port_);
  EXPECT_TRUE(fresh.sees_the_end());
  RawClient used(port_);
  used.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(used.read_response().status, 200);
  EXPECT_TRUE(used.sees_the_end());
}

TEST_F(HttpServerTest, speaks_http_1_0) {
  start();
  RawClient client(port_);
  client.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  const RawResponse kept = client.read_response();
  EXPECT_EQ(kept.head.substr(0, 15), "HTTP/1.0 200 OK");
  EXPECT_EQ(kept.header("Connection"), "keep-alive");
  client.send("GET /b HTTP/1.0\r\n\r\n");
  const RawResponse last = client.read_response();
  EXPECT_EQ(last.header("Connection"), "close");
  EXPECT_EQ(last.body, "GET /b ");
  EXPECT_TRUE(client.sees_the_end());
}

TEST_F(HttpServerTest, closes_when_client_or_handler_ask_for_it) {
  start();
  for (const std::string request : {"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
                                    "GET /close HTTP/1.1\r\nHost: h\r\n\r\n"}) {
    RawClient client(port_);
    client.send(request);
    EXPECT_EQ(client.read_response().header("Connection"), "close");
    EXPECT_TRUE(client.sees_the_end());
  }
  expect_connections(0);
}

TEST_F(HttpServerTest, leaves_unknown_methods_and_other_targets_to_the_handler) {
  start();
  EXPECT_EQ(ask("PURGE /a HTTP/1.1\r\nHost: h\r\n\r\n").body, "PURGE /a ");
  EXPECT_EQ(ask("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").body, "OPTIONS * ");
  EXPECT_EQ(ask("GET http://h/a/b?c HTTP/1.1\r\nHost: h\r\n\r\n").body, "GET /a/b ");
  EXPECT_EQ(ask("GET http://h?c HTTP/1.1\r\nHost: h\r\n\r\n").body, "GET / ");
  EXPECT_EQ(ask("\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n").body, "GET /a ")
      << "one empty line is skipped";
}

TEST_F(HttpServerTest, a_header_value_starts_no_header_of_its_own) {
  start();
  const RawResponse response = ask("GET /inject HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(response.header("X-Good"), "aX-Evil: b<html>");
  EXPECT_EQ(response.header("X-Evil"), "");
  EXPECT_EQ(response.header("X-Nul"), "ab");
  EXPECT_EQ(response.body, "GET /inject ");
}

TEST_F(HttpServerTest, framing_headers_are_the_servers) {
  start();
  const RawResponse response = ask("GET /own HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(response.header("Content-Length"), "9");
  EXPECT_EQ(response.header("Transfer-Encoding"), "");
  EXPECT_EQ(response.header("Date").size(), 29U);
  EXPECT_EQ(ask("GET /none HTTP/1.1\r\nHost: h\r\n\r\n").header("Content-Length"), "");
  EXPECT_EQ(ask("GET /invalid HTTP/1.1\r\nHost: h\r\n\r\n").status, 500);
}

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
