#include "http_load.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace dkron::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

int connect_to(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    die("connect");
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

void send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) die("send");
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

// How far an answer has come in. The server answers with Content-Length always.
class AnswerReader {
 public:
  // True when an answer is complete.
  bool take(std::string_view bytes) {
    if (!has_head_) {
      head_.append(bytes);
      const auto end = head_.find("\r\n\r\n");
      if (end == std::string::npos) return false;
      read_head(end);
      body_ = head_.substr(end + 4);
      has_head_ = true;
    } else {
      body_.append(bytes);
    }
    return body_.size() >= length_;
  }
  void reset() {
    has_head_ = false;
    head_.clear();
    body_.clear();
  }
  int status() const { return status_; }
  const std::string& body() const { return body_; }

 private:
  void read_head(std::size_t end) {
    std::from_chars(head_.data() + 9, head_.data() + 12, status_);
    length_ = 0;
    std::string lower = head_.substr(0, end);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    const auto at = lower.find("content-length:");
    if (at == std::string::npos) return;
    const auto digits = lower.find_first_of("0123456789", at);
    std::from_chars(lower.data() + digits, lower.data() + lower.size(), length_);
  }
  bool has_head_ = false;
  std::string head_, body_;
  int status_ = 0;
  std::size_t length_ = 0;
};

struct Connection {
  int fd = -1;
  AnswerReader reader;
  SteadyClock::time_point sent_at;
};

}  // namespace

double LoadResult::percentile_ms(double p) const {
  if (latencies_ms.empty()) return 0;
  const auto index = static_cast<std::size_t>(p * static_cast<double>(latencies_ms.size() - 1));
  return latencies_ms[index];
}

LoadResult run_load(const LoadOptions& options) {
  LoadResult result;
  const int poll = ::epoll_create1(EPOLL_CLOEXEC);
  std::vector<Connection> connections(static_cast<std::size_t>(options.connections));
  std::uint64_t next = 0;
  const auto send_next = [&](Connection& c) {
    if (next >= options.requests) return;
    c.reader.reset();
    c.sent_at = SteadyClock::now();
    send_all(c.fd, options.make_request(next++));
  };
  for (std::size_t i = 0; i < connections.size(); ++i) {
    connections[i].fd = connect_to(options.port);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = i;
    if (::epoll_ctl(poll, EPOLL_CTL_ADD, connections[i].fd, &event) != 0) die("epoll_ctl");
  }
  const auto start = SteadyClock::now();
  const auto end = start + std::chrono::duration_cast<SteadyClock::duration>(
                               std::chrono::duration<double>(options.seconds));
  for (Connection& c : connections) send_next(c);
  std::vector<char> buffer(256 * 1024);
  while (result.answers < options.requests && SteadyClock::now() < end) {
    epoll_event events[64];
    const int count = ::epoll_wait(poll, events, 64, 1000);
    for (int i = 0; i < count; ++i) {
      Connection& c = connections[events[i].data.u64];
      const ssize_t n = ::recv(c.fd, buffer.data(), buffer.size(), 0);
      if (n <= 0) die("recv");
      if (!c.reader.take({buffer.data(), static_cast<std::size_t>(n)})) continue;
      const auto now = SteadyClock::now();
      result.latencies_ms.push_back(
          std::chrono::duration<double, std::milli>(now - c.sent_at).count());
      ++result.answers;
      result.body_bytes += c.reader.body().size();
      if (c.reader.status() < 200 || c.reader.status() >= 300) {
        if (result.errors++ == 0) result.first_error = c.reader.body();
      }
      send_next(c);
    }
  }
  result.seconds = std::chrono::duration<double>(SteadyClock::now() - start).count();
  for (Connection& c : connections) ::close(c.fd);
  ::close(poll);
  std::sort(result.latencies_ms.begin(), result.latencies_ms.end());
  return result;
}

std::string make_post(const std::string& path, const std::string& body) {
  return "POST " + path +
         " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string make_get(const std::string& path) {
  return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
}

std::string fetch(std::uint16_t port, const std::string& request) {
  const int fd = connect_to(port);
  send_all(fd, request);
  AnswerReader reader;
  std::vector<char> buffer(256 * 1024);
  for (;;) {
    const ssize_t n = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (n <= 0) die("recv");
    if (reader.take({buffer.data(), static_cast<std::size_t>(n)})) break;
  }
  ::close(fd);
  return reader.status() >= 200 && reader.status() < 300 ? reader.body() : "";
}

}  // namespace dkron::bench
