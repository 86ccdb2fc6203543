// For the tests of net/: a Loop on a thread of its own, and a client that speaks raw bytes.
//
// Every wait ends with a failed expectation after kPatience; nothing sleeps.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <future>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/file.h"
#include "net/http.h"
#include "net/loop.h"

namespace dkron::net::test {

constexpr Duration kPatience = seconds(20);

class LoopThread {
 public:
  LoopThread() : thread_([this] { loop_.run(); }) {}
  ~LoopThread() {
    loop_.stop();
    thread_.join();
  }
  Loop& loop() { return loop_; }

  // Runs a function on the loop's thread and waits for it.
  void run(std::function<void()> task) {
    std::promise<void> done;
    loop_.post([&] {
      task();
      done.set_value();
    });
    done.get_future().wait();
  }

 private:
  Loop loop_;
  std::thread thread_;
};

// False when `fd` did not become ready for `events` in time.
inline bool wait_for(int fd, short events) {
  pollfd entry{fd, events, 0};
  const auto patience = std::chrono::duration_cast<milliseconds>(kPatience).count();
  return ::poll(&entry, 1, static_cast<int>(patience)) == 1;
}

struct RawResponse {
  int status = 0;
  std::string head;
  std::string body;
  std::string header(std::string_view name) const {
    for (std::size_t at = head.find("\r\n"); at < head.size(); at = head.find("\r\n", at + 2)) {
      const std::string_view line =
          std::string_view(head).substr(at + 2, head.find("\r\n", at + 2) - at - 2);
      const std::size_t colon = line.find(": ");
      if (colon != line.npos && is_same_header(line.substr(0, colon), name)) {
        return std::string(line.substr(colon + 2));
      }
    }
    return "";
  }
};

class RawClient {
 public:
  explicit RawClient(std::uint16_t port, int receive_buffer = 0) {
    fd_ = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (receive_buffer > 0) {
      ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    }
    if (port != 0) connect(port);
  }
  void connect(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t size = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (size <= 0) return;  // The server had enough of it; the answer tells.
      bytes.remove_prefix(static_cast<std::size_t>(size));
    }
  }

  // Reads more; false at the end of the stream, a reset, or when patience is at an end.
  bool receive(std::size_t limit = std::size_t{64} * 1024) {
    if (!wait_for(fd_.get(), POLLIN)) {
      ADD_FAILURE() << "nothing came";
      return false;
    }
    std::string chunk(limit, '\0');
    const ssize_t size = ::recv(fd_.get(), chunk.data(), chunk.size(), 0);
    if (size <= 0) return false;
    buffer_.append(chunk, 0, static_cast<std::size_t>(size));
    return true;
  }

  RawResponse read_response(bool is_head = false) {
    RawResponse response;
    std::size_t end = 0;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
      if (!receive()) return response;
    }
    response.head = buffer_.substr(0, end + 2);
    buffer_.erase(0, end + 4);
    response.status = std::stoi(response.head.substr(9, 3));
    const std::string length = response.header("Content-Length");
    const std::size_t size = length.empty() || is_head ? 0 : std::stoul(length);
    while (buffer_.size() < size) {
      if (!receive(1024 * 1024)) break;
    }
    response.body = buffer_.substr(0, size);
    buffer_.erase(0, size);
    return response;
  }

  // True when the server closes without another byte.
  bool sees_the_end() { return buffer_.empty() && !receive(); }
  void close() { fd_.reset(); }
  int fd() const { return fd_.get(); }
  const std::string& buffered() const { return buffer_; }

 private:
  UniqueFd fd_;
  std::string buffer_;
};

}  // namespace dkron::net::test
