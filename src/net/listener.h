// Listening sockets: opening them, accepting from them, and addresses as text.
//
// Free functions are thread-safe and block for the resolver at most; the Listener lives on its
// loop.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/file.h"
#include "net/loop.h"

namespace dkron::net {

struct ListenAddress {
  std::string host;  // An IP or a name; "" or "0.0.0.0": any IPv4 and, where there is one, IPv6.
  std::uint16_t port = 0;  // 0: any.
};

// Accepts, and waits out a machine that has no descriptors or memory. Connections are non-blocking,
// close-on-exec and without Nagle's delay.
class Listener {
 public:
  // `peer` is host:port, an IPv6 host in brackets; an IPv4 client of a dual-stack socket reads as
  // IPv4.
  using OnConnection = std::function<void(UniqueFd connection, std::string peer)>;
  // Errors read as Go's: "listen tcp 127.0.0.1:80: bind: permission denied". `who` begins its log
  // lines.
  static Result<std::unique_ptr<Listener>> open(Loop& loop, const ListenAddress& address,
                                                std::string who, OnConnection on_connection);
  virtual ~Listener() = default;
  virtual std::uint16_t port() const = 0;
  virtual bool is_ipv6() const = 0;
  // Takes no connections until resume(); they wait in the kernel.
  virtual void pause() = 0;
  virtual void resume() = 0;
};

}  // namespace dkron::net
