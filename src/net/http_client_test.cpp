#include "net/http_client.h"

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <mutex>

#include "net/http_server.h"
#include "net/test_support.h"

namespace dkron::net {
namespace {

class HttpClientTest : public testing::Test {
 protected:
  HttpClientTest() {
    loop_.run([this] {
      HttpServerOptions options;
      options.host = "127.0.0.1";
      options.port = 0;
      server_ =
          *HttpServer::listen(loop_.loop(), options, [this](Request request, Responder responder) {
            handle(std::move(request), std::move(responder));
          });
    });
    base_ = "http://127.0.0.1:" + std::to_string(server_->port());
  }
  ~HttpClientTest() override {
    loop_.run([this] {
      held_.clear();
      server_.reset();
    });
  }

  void handle(Request request, Responder responder) {
    Response response;
    if (request.path == "/echo") {
      response.headers = {{"X-Reply", " padded "}, {"X-Twice", "1"}, {"X-Twice", "2"}};
      response.body = request.method_text + " " + request.body;
      for (const auto& [name, value] : request.headers) response.body += "\n" + name + "=" + value;
    } else if (request.path == "/digits") {
      for (int i = 0; i < 100'000; ++i) response.body += static_cast<char>('0' + i % 10);
    } else if (request.path.starts_with("/redirect/")) {
      response.status = std::stoi(request.path.substr(10));
      response.headers = {{"Location", "/echo"}};
    } else if (request.path == "/away") {
      response.status = 302;
      response.headers = {
          {"Location", "http://localhost:" + std::to_string(server_->port()) + "/echo"}};
    } else if (request.path == "/ftp") {
      response.status = 302;
      response.headers = {{"Location", "ftp://127.0.0.1/x"}};
    } else if (request.path.starts_with("/loop/")) {
      const int left = std::stoi(request.path.substr(6));
      response.status = left == 0 ? 200 : 302;
      if (left > 0) response.headers = {{"Location", "/loop/" + std::to_string(left - 1)}};
    } else if (request.path == "/hold") {
      std::lock_guard lock(mutex_);
      held_.push_back(std::move(responder));
      changed_.notify_all();
      return;
    }
    responder(std::move(response));
  }

  FetchOptions to(const std::string& path) const {
    FetchOptions options;
    options.url = base_ + path;
    return options;
  }
  std::string error_of(const FetchOptions& options) {
    const auto result = http_fetch(options);
    return result ? "status " + std::to_string(result->status) : result.error().message;
  }
  std::string error_of_url(const std::string& url) {
    FetchOptions options;
    options.url = url;
    return error_of(options);
  }

  test::LoopThread loop_;
  std::unique_ptr<HttpServer> server_;
  std::string base_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Responder> held_;
};

TEST_F(HttpClientTest, sends_what_it_is_given_and_nothing_more) {
  FetchOptions options = to("/echo?a b");
  options.method = "PATCH";
  options.body = std::string("with\0nul", 8);
  options.headers = {{"X-One", "1"}, {"X-Empty", ""}, {"X-One", "2"}};
  const auto result = http_fetch(options);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->status, 200);
  const std::string host = base_.substr(7);
  EXPECT_EQ(result->body,
            std::string("PATCH with\0nul", 14) + "\nHost=" + host +
                "\nAccept-Encoding=gzip\nX-One=1\nX-Empty=\nX-One=2\nContent-Length=8");
  EXPECT_EQ(find_header(result->headers, "x-reply"), "padded");
  EXPECT_EQ(std::count_if(result->headers.begin(), result->headers.end(),
                          [](const auto& h) { return h.first == "X-Twice"; }),
            2);
}

TEST_F(HttpClientTest, announces_an_empty_body_where_go_does) {
  FetchOptions options = to("/echo");
  for (const auto& [method, has_length] : {std::pair{"POST", true},
                                           {"PUT", true},
                                           {"GET", false},
                                           {"DELETE", false},
                                           {"PURGE", false}}) {
    options.method = method;
    const std::string body = http_fetch(options)->body;
    EXPECT_EQ(body.find("Content-Length=0") != std::string::npos, has_length) << body;
    EXPECT_EQ(body.substr(0, body.find('\n')), std::string(method) + " ");
  }
  options.method = "HEAD";
  const auto head = http_fetch(options);
  ASSERT_TRUE(head) << head.error().message;
  EXPECT_EQ(head->body, "");
  EXPECT_NE(find_header(head->headers, "Content-Length"), "0");
}

TEST_F(HttpClientTest, keeps_the_head_or_the_tail_of_a_long_body) {
  FetchOptions options = to("/digits");
  options.body_limit_bytes = 15;
  auto result = http_fetch(options);
  EXPECT_EQ(result->body, "012345678901234");
  EXPECT_TRUE(result->body_truncated);
  options.keep_tail = true;
  result = http_fetch(options);
  EXPECT_EQ(result->body, "567890123456789");
  EXPECT_TRUE(result->body_truncated);
  options.body_limit_bytes = 100'000;
  result = http_fetch(options);
  EXPECT_EQ(result->body.size(), 100'000U);
  EXPECT_FALSE(result->body_truncated);
  options.body_limit_bytes = 99'999;
  result = http_fetch(options);
  EXPECT_EQ(result->body.size(), 99'999U);
  EXPECT_EQ(result->body.substr(0, 3), "123");
  options.body_limit_bytes = 0;
  for (const bool keep_tail : {false, true}) {
    options.keep_tail = keep_tail;
    result = http_fetch(options);
    EXPECT_EQ(result->body, "");
    EXPECT_TRUE(result->body_truncated);
  }
}

TEST_F(HttpClientTest, redirects_change_the_method_as_go_does) {
  for (const auto& [status, expected] :
       {std::pair{301, "GET "}, {302, "GET "}, {303, "GET "}, {307, "PUT x"}, {308, "PUT x"}}) {
    FetchOptions options = to("/redirect/" + std::to_string(status));
    options.method = "PUT";
    options.body = "x";
    const auto result = http_fetch(options);
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->body.substr(0, result->body.find('\n')), expected) << status;
    options.redirect_limit = 0;
    EXPECT_EQ(http_fetch(options)->status, status);
  }
}

TEST_F(HttpClientTest, another_host_gets_no_secrets) {
  FetchOptions options = to("/away");
  options.headers = {{"Authorization", "Bearer s3cret"}, {"Cookie", "c"}, {"X-Mine", "1"}};
  const auto away = http_fetch(options);
  ASSERT_TRUE(away) << away.error().message;
  EXPECT_EQ(away->body.find("s3cret"), std::string::npos);
  EXPECT_EQ(away->body.find("Cookie"), std::string::npos);
  EXPECT_NE(away->body.find("X-Mine=1"), std::string::npos);
  options.url = base_ + "/redirect/302";
  EXPECT_NE(http_fetch(options)->body.find("s3cret"), std::string::npos);
}

TEST_F(HttpClientTest, follows_a_limited_number_of_redirects) {
  EXPECT_EQ(error_of(to("/loop/10")), "status 200");
  EXPECT_EQ(error_of(to("/loop/11")), "Get \"" + base_ + "/loop/1\": stopped after 10 redirects");
  EXPECT_EQ(error_of(to("/ftp")), "Get \"ftp://127.0.0.1/x\": unsupported protocol scheme \"ftp\"");
}

TEST_F(HttpClientTest, says_what_is_wrong_with_a_url_as_go_does) {
  EXPECT_EQ(error_of_url("::::"), "parse \"::::\": missing protocol scheme");
  EXPECT_EQ(error_of_url("ftp://h/"), "Get \"ftp://h/\": unsupported protocol scheme \"ftp\"");
  EXPECT_EQ(error_of_url("file:///etc/passwd"),
            "Get \"file:///etc/passwd\": unsupported protocol scheme \"file\"");
  EXPECT_EQ(error_of_url("h/x"), "Get \"h/x\": unsupported protocol scheme \"\"");
  EXPECT_EQ(error_of_url("localhost:80"),
            "Get \"localhost:80\": unsupported protocol scheme \"localhost\"");
  EXPECT_EQ(error_of_url("127.0.0.1:80/x"),
            "parse \"127.0.0.1:80/x\": first path segment in URL cannot contain colon");
  EXPECT_EQ(error_of_url("http:///x"), "Get \"http:///x\": http: no Host in request URL");
  EXPECT_EQ(error_of_url("http://h:x/"), "parse \"http://h:x/\": invalid port \":x\" after host");
  EXPECT_EQ(error_of_url("http://h/%zz"), "parse \"http://h/%zz\": invalid URL escape \"%zz\"");
  EXPECT_EQ(error_of_url("http://h/\r\nX: y"),
            "parse \"http://h/\\r\\nX: y\": net/url: invalid control character in URL");
}

TEST_F(HttpClientTest, lets_no_text_start_a_header_of_its_own) {
  FetchOptions options = to("/echo");
  options.headers = {{"X", "a\r\nY: b"}};
  EXPECT_EQ(error_of(options),
            "Get \"" + options.url + "\": net/http: invalid header field value for \"X\"");
  options.headers = {{"X Y", "a"}};
  EXPECT_EQ(error_of(options),
            "Get \"" + options.url + "\": net/http: invalid header field name \"X Y\"");
  options.headers.clear();
  options.method = "GET /\r\n";
  EXPECT_EQ(error_of(options), "net/http: invalid method \"GET /\\r\\n\"");
}

// A port on which nobody listens: it was free a moment ago.
std::uint16_t free_port() {
  test::LoopThread loop;
  std::uint16_t port = 0;
  loop.run([&] {
    HttpServerOptions options;
    options.host = "127.0.0.1";
    options.port = 0;
    port = (*HttpServer::listen(loop.loop(), options, nullptr))->port();
  });
  return port;
}

TEST_F(HttpClientTest, reports_a_refused_connection) {
  const std::string host = "127.0.0.1:" + std::to_string(free_port());
  FetchOptions options;
  options.url = "http://u:secret@" + host + "/";
  options.method = "POST";
  const auto result = http_fetch(options);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::Unavailable);
  EXPECT_EQ(result.error().message, "Post \"http://u:***@" + host + "/\": dial tcp " + host +
                                        ": connect: connection refused");
}

TEST_F(HttpClientTest, reports_an_unknown_host) {
  EXPECT_EQ(error_of_url("http://nobody.invalid/x"),
            "Get \"http://nobody.invalid/x\": dial tcp: lookup nobody.invalid: no such host");
}

TEST_F(HttpClientTest, reports_a_server_without_tls) {
  const std::string url = "https" + base_.substr(4) + "/";
  EXPECT_EQ(error_of_url(url),
            "Get \"" + url + "\": http: server gave HTTP response to HTTPS client");
}

TEST_F(HttpClientTest, ends_with_its_timeout) {
  FetchOptions options = to("/hold");
  options.timeout = milliseconds(50);
  const auto result = http_fetch(options);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::Timeout);
  EXPECT_EQ(result.error().message,
            "Get \"" + options.url +
                "\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)");
}

TEST_F(HttpClientTest, ends_soon_after_it_is_canceled) {
  std::atomic<bool> canceled{false};
  FetchOptions options = to("/hold");
  options.timeout = Duration(0);
  options.canceled = &canceled;
  std::thread canceler([&] {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, test::kPatience, [this] { return !held_.empty(); }));
    canceled = true;
  });
  const Duration before = system_clock().steady();
  const auto result = http_fetch(options);
  canceler.join();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::Canceled);
  EXPECT_EQ(result.error().message, "Get \"" + options.url + "\": context canceled");
  EXPECT_LT(system_clock().steady() - before, seconds(10));
  options.url = base_ + "/echo";
  EXPECT_EQ(http_fetch(options).error().code, ErrorCode::Canceled) << "canceled before it began";
}

// Answers one connection with fixed bytes and closes it.
class FixedServer {
 public:
  explicit FixedServer(std::string answer) : answer_(std::move(answer)) {
    fd_ = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(fd_.get(), 1), 0);
    ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/";
    thread_ = std::thread([this] {
      if (!test::wait_for(fd_.get(), POLLIN)) return;
      const UniqueFd client(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      char request[4096];
      if (::recv(client.get(), request, sizeof(request), 0) <= 0) return;
      ::send(client.get(), answer_.data(), answer_.size(), MSG_NOSIGNAL);
    });
  }
  ~FixedServer() { thread_.join(); }
  const std::string& url() const { return url_; }

 private:
  std::string answer_;
  std::string url_;
  UniqueFd fd_;
  std::thread thread_;
};

TEST_F(HttpClientTest, reports_broken_answers) {
  const FixedServer silent("");
  EXPECT_EQ(error_of_url(silent.url()), "Get \"" + silent.url() + "\": EOF");
  const FixedServer cut("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
  EXPECT_EQ(error_of_url(cut.url()), "unexpected EOF");
  const FixedServer noise("hello\r\n\r\n");
  EXPECT_EQ(error_of_url(noise.url()),
            "Get \"" + noise.url() +
                "\": net/http: HTTP/1.x transport connection broken: malformed HTTP response");
  std::string many = "HTTP/1.1 200 OK\r\n";
  while (many.size() < 500'000) many += "A: " + std::string(1000, 'b') + "\r\n";
  const FixedServer endless(many);
  EXPECT_EQ(error_of_url(endless.url()),
            "Get \"" + endless.url() +
                "\": net/http: server response headers exceeded 262144 bytes; aborted");
}

TEST_F(HttpClientTest, skips_interim_answers_and_unpacks_gzip) {
  const std::string packed(
      "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\x07\x00\x86\xa6\x10\x36\x05\x00"
      "\x00\x00",
      25);
  const FixedServer server(
      "HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\nHTTP/1.1 200 OK\r\nX-Last: 1\r\n"
      "Content-Encoding: gzip\r\nContent-Length: 25\r\n\r\n" +
      packed);
  FetchOptions options;
  options.url = server.url();
  const auto result = http_fetch(options);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->body, "hello");
  EXPECT_EQ(result->headers, (Headers{{"X-Last", "1"}}));
}

TEST_F(HttpClientTest, ignores_a_proxy_of_the_environment) {
  ::setenv("http_proxy", "http://127.0.0.1:1", 1);
  EXPECT_EQ(error_of(to("/echo")), "status 200");
  ::unsetenv("http_proxy");
}

TEST_F(HttpClientTest, fetches_from_many_threads) {
  std::vector<std::thread> threads;
  std::atomic<int> answered{0};
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5; ++i) answered += http_fetch(to("/echo")).has_value() ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(answered, 40);
}

}  // namespace
}  // namespace dkron::net
