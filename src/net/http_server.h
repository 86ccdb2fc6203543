// HttpServer: an HTTP/1.1 server on the main loop (Boost.Beast inside the .cpp).
//
// Keep-alive and pipelining (requests of one connection are handled one after the other, in order),
// HEAD answered by the GET handler's headers, `Expect: 100-continue`, chunked requests. Answers the
// protocol's own errors itself: 400 malformed, 413 body too large, 431 headers too large, 408 too
// slow; a handler is never called with a partial request. Owned by and living on the loop's thread;
// stop() closes the listener at once and idle connections, lets requests under way end, then calls
// back.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/error.h"
#include "net/http.h"
#include "net/loop.h"
#include "net/tls.h"

namespace dkron::net {

struct HttpServerOptions {
  std::string host;           // "" or "0.0.0.0" = any IPv4 and, where there is one, IPv6
  std::uint16_t port = 8080;  // 0 = chosen by the kernel, see port()
  std::size_t header_limit_bytes = std::size_t{64} * 1024;
  // Hard limit; routes have smaller ones.
  std::size_t body_limit_bytes = std::size_t{64} * 1024 * 1024;
  // The body limit for one request, asked when its headers are there. Null: body_limit_bytes.
  std::function<std::size_t(Method, std::string_view path)> body_limit;
  std::size_t connection_limit = 10'000;  // Above it new connections get 503 and are closed.
  TlsPtr tls;                             // Null: plain. Its handshake is part of a request's time.
  Duration idle_timeout = seconds(120);
  Duration request_timeout = seconds(30);  // From the first byte of a request to its last.
};

class HttpServer {
 public:
  static Result<std::unique_ptr<HttpServer>> listen(Loop& loop, HttpServerOptions options,
                                                    Handler handler);
  virtual ~HttpServer() = default;
  virtual std::uint16_t port() const = 0;
  virtual std::size_t connections() const = 0;
  virtual void stop(std::function<void()> stopped) = 0;
};

}  // namespace dkron::net
