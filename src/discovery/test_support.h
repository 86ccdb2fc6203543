// For the tests of discovery/: DNS messages made by hand, and a UDP peer on loopback.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/file.h"
#include "discovery/dns_packet.h"
#include "discovery/query.h"

namespace dkron::discovery::test {

inline Query make_query(Parameters parameters, Duration timeout = seconds(20)) {
  return {std::move(parameters), 8946, system_clock().steady() + timeout};
}

// "10.0.0.1:8946 [::1]:1" or "error: ..."
inline std::string show(const Result<Addresses>& result) {
  if (!result) return "error: " + result.error().message;
  std::string text;
  for (const auto& address : *result) {
    text += (text.empty() ? "" : " ") + config::join_host_port(address.host, address.port);
  }
  return text;
}

inline void append_u16(std::size_t value, std::string* out) {
  out->push_back(static_cast<char>(value >> 8 & 0xff));
  out->push_back(static_cast<char>(value & 0xff));
}

// "a.b" as labels; no compression.
inline std::string wire_name(std::string_view name) {
  std::string wire;
  while (!name.empty()) {
    const std::size_t dot = std::min(name.size(), name.find('.'));
    wire.push_back(static_cast<char>(dot));
    wire += name.substr(0, dot);
    name.remove_prefix(std::min(name.size(), dot + 1));
  }
  wire.push_back('\0');
  return wire;
}

// An answer to `question`: its id and, when asked for, its question section.
class Answer {
 public:
  explicit Answer(std::string_view question = std::string(12, '\0'), int rcode = 0)
      : id_(question.substr(0, 2)), rcode_(rcode) {
    question_ = question.substr(12);
    // An OPT record behind the question (EDNS) is no part of it.
    std::size_t end = 0;
    while (end < question_.size() && question_[end] != '\0') {
      end += 1 + static_cast<unsigned char>(question_[end]);
    }
    if (!question_.empty()) question_.resize(end + 5);
  }
  Answer& add(std::string_view name, RecordType type, const std::string& data,
              std::uint16_t dns_class = 1) {
    records_ += wire_name(name);
    append_u16(static_cast<std::uint16_t>(type), &records_);
    append_u16(dns_class, &records_);
    records_ += std::string("\0\0\0\x78", 4);
    append_u16(data.size(), &records_);
    records_ += data;
    ++count_;
    return *this;
  }
  Answer& srv(std::string_view name, std::string_view target, std::uint16_t port,
              std::uint16_t priority = 0) {
    std::string data;
    append_u16(priority, &data);
    append_u16(0, &data);
    append_u16(port, &data);
    return add(name, RecordType::Srv, data + wire_name(target));
  }
  Answer& ptr(std::string_view name, std::string_view target) {
    return add(name, RecordType::Ptr, wire_name(target));
  }
  Answer& ip(std::string_view name, const std::string& address) {
    unsigned char bytes[16];
    const bool is_v4 = ::inet_pton(AF_INET, address.c_str(), bytes) == 1;
    if (!is_v4) {
      EXPECT_EQ(::inet_pton(AF_INET6, address.c_str(), bytes), 1);
    }
    return add(name, is_v4 ? RecordType::A : RecordType::Aaaa,
               std::string(reinterpret_cast<const char*>(bytes), is_v4 ? 4 : 16));
  }
  std::string bytes() const {
    std::string message = id_;
    append_u16(0x8400U | static_cast<unsigned>(rcode_), &message);
    append_u16(question_.empty() ? 0 : 1, &message);
    append_u16(count_, &message);
    append_u16(0, &message);
    append_u16(0, &message);
    return message + question_ + records_;
  }

 private:
  std::string id_;
  std::string question_;
  std::string records_;
  std::size_t count_ = 0;
  int rcode_;
};

// Type of the question in a message.
inline RecordType question_type(std::string_view message) {
  std::size_t at = 12;
  while (message[at] != '\0') at += 1 + static_cast<unsigned char>(message[at]);
  return static_cast<RecordType>(static_cast<unsigned char>(message[at + 2]));
}

// Answers every datagram with those that `respond` makes of it, on a thread of its own.
class UdpPeer {
 public:
  using Respond = std::function<std::vector<std::string>(const std::string&)>;

  explicit UdpPeer(Respond respond) : respond_(std::move(respond)) {
    stop_ = UniqueFd(::eventfd(0, EFD_CLOEXEC));
    socket_ = UniqueFd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~UdpPeer() {
    ::eventfd_write(stop_.get(), 1);
    thread_.join();
  }
  config::HostPort address() const { return {"127.0.0.1", port_}; }

 private:
  void run() {
    for (;;) {
      pollfd entries[2] = {{stop_.get(), POLLIN, 0}, {socket_.get(), POLLIN, 0}};
      ::poll(entries, 2, -1);
      if (entries[0].revents != 0) return;
      std::string message(9'000, '\0');
      sockaddr_in from{};
      socklen_t size = sizeof from;
      const ssize_t length = ::recvfrom(socket_.get(), message.data(), message.size(), 0,
                                        reinterpret_cast<sockaddr*>(&from), &size);
      if (length < 12) continue;
      message.resize(static_cast<std::size_t>(length));
      for (const std::string& answer : respond_(message)) {
        ::sendto(socket_.get(), answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&from),
                 size);
      }
    }
  }

  Respond respond_;
  UniqueFd stop_;
  UniqueFd socket_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

}  // namespace dkron::discovery::test
