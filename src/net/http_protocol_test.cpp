// What goes over the wire: framing, limits, refusals, headers.
#include "net/http_server_fixture.h"

namespace dkron::net {
namespace {

using test::HttpServerTest;
using test::RawClient;
using test::RawResponse;

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

}  // namespace
}  // namespace dkron::net
