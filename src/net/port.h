// Port: the one TCP port that gRPC and raft share: accepts, looks at the first byte, hands over.
//
// With TLS the handshake and the bytes are the port's business: those behind it get one end of a
// socket pair that carries the plain bytes. A connection that sends nothing for kFirstByteLimit, or
// whose first byte is nobody's, is closed; one that closes without a byte (a probe) is no news.
// Lives on the main loop.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/file.h"
#include "net/loop.h"
#include "net/tls.h"

namespace dkron::net {

class Port {
 public:
  static constexpr Duration kFirstByteLimit = seconds(10);  // The TLS handshake included.
  static constexpr std::size_t kPendingLimit = 1'024;       // Without a first byte; the rest waits.

  struct Options {
    std::string host;                             // An IP, or empty for all.
    std::uint16_t port = 0;                       // 0: any.
    TlsPtr tls;                                   // Null: plain.
    Duration first_byte_limit = kFirstByteLimit;  // Shorter in tests.
  };
  // Takes a connection whose first byte is not yet read; non-blocking, close-on-exec, TCP_NODELAY.
  // `peer` is host:port. Null: nobody is there for such connections (an agent has no raft).
  using Handler = std::function<void(UniqueFd connection, std::string peer)>;
  struct Handlers {
    Handler grpc;  // First byte 'P' (HTTP/2 preface).
    Handler raft;  // First byte 'D' (raft/hello.h).
  };
  static Result<std::unique_ptr<Port>> listen(Loop& loop, Options options, Handlers handlers);
  virtual ~Port() = default;

  virtual std::uint16_t port() const = 0;
};

struct DialOptions {
  std::string address;  // host:port
  Duration limit = seconds(5);
  TlsPtr tls;               // Null: plain.
  std::string server_name;  // Expected in the peer's certificate; "": the host.
};
// Connects, names resolved on a worker thread; the answer comes on the loop. With TLS the
// descriptor is one end of a socket pair, as above.
void dial(Loop& loop, Workers& workers, DialOptions options,
          std::function<void(Result<UniqueFd>)> done);

}  // namespace dkron::net
