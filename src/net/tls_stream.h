// A TLS connection whose plain side is one end of a socket pair.
//
// Bytes are carried both ways without a thread: a side is not read while what it sent last still
// waits for the other (at most kChunkBytes each way), so a slow reader slows its sender. A half
// close on one side is passed on to the other; an end without TLS's close is a broken connection.
// Lives on the loop from then on, until both sides are closed.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/file.h"
#include "net/loop.h"
#include "net/tls.h"

namespace dkron::net {

inline constexpr std::size_t kChunkBytes = 16 * 1024;  // A TLS record.
// How long a closed plain side's last bytes may take to leave.
inline constexpr Duration kTlsLinger = seconds(10);

struct TlsRole {
  bool is_server = true;
  // Server: what is served ("h2", "http/1.1"), for clients that ask; a literal.
  const char* protocol = nullptr;
  std::string server_name;  // Client: expected in the certificate, a name or an IP.
};

class TlsHandshake {
 public:
  virtual ~TlsHandshake() = default;  // Before the answer: closes the connection.
};
// `connection` is non-blocking and connected. Answers once, not from inside of the call, with the
// plain side (non-blocking, close-on-exec) or with Unavailable and the reason, empty when the other
// side closed before its first byte.
std::unique_ptr<TlsHandshake> start_tls(Loop& loop, const Tls& tls, UniqueFd connection,
                                        TlsRole role, std::function<void(Result<UniqueFd>)> done);

}  // namespace dkron::net
