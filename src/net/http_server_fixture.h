// HttpServerTest: a server on a loop of its own, whose handler does what the path says.
//
// Shared by the tests of the protocol and of the server's life.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "net/http_server.h"
#include "net/test_support.h"

namespace dkron::net::test {

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
    EXPECT_TRUE(changed_.wait_for(lock, kPatience, [&] { return held_.size() >= count; }));
    return held_.back();
  }
  std::size_t connections() {
    std::size_t count = 0;
    loop_.run([&] { count = server_->connections(); });
    return count;
  }
  // Every look is a turn of the loop, so nothing here depends on time but the patience.
  void expect_connections(std::size_t wanted) {
    const Duration until = system_clock().steady() + kPatience;
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
  LoopThread loop_;
  std::unique_ptr<HttpServer> server_;
  std::uint16_t port_ = 0;
};

}  // namespace dkron::net::test
