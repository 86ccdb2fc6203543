// HttpConnection: one client of the HTTP server, from accept to close.
//
//   Reading --request complete--> Handling --respond()--> Writing --all sent--> Reading
//      |                                                     |
//      +--malformed, too large, too slow: answer ------------+--last one--> Draining --> Closed
//
// Draining reads and drops what the client still sends, for a moment, because closing a socket with
// unread bytes resets it and the client would lose the answer. One timer per connection: it is
// armed for the nearest deadline and moved only when it fires or a nearer one comes. Held by the
// server's registry and by its own pending callbacks; main loop's thread.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "base/executor.h"
#include "base/file.h"
#include "net/http_parser.h"
#include "net/http_response.h"
#include "net/http_server.h"

namespace dkron::net {

// How an answer finds its way back from any thread; outlives the server and the loop.
struct LoopLink {
  Post post;
  std::atomic<std::thread::id> loop_thread;
};

class HttpConnection;

// What the connections of a server share. Outlives them as long as they are not closed.
struct ConnectionHost {
  Loop& loop;
  HttpServerOptions options;
  Handler handler;
  ParserLimits limits;
  std::shared_ptr<LoopLink> link;
  HttpDate date;
  bool is_stopping = false;
  std::function<void(HttpConnection*)> on_closed;
};

class HttpConnection {
 public:
  virtual ~HttpConnection() = default;
  virtual void start() = 0;
  // Answers 503 and closes, whatever the client asks.
  virtual void refuse() = 0;
  virtual void close() = 0;
  // At once when no request has begun, else behind its response.
  virtual void close_when_idle() = 0;
  virtual bool is_refused() const = 0;
};

// `fd` is a connected, non-blocking TCP socket; null when the loop cannot take it.
std::shared_ptr<HttpConnection> make_connection(ConnectionHost& host, UniqueFd fd, bool is_ipv6,
                                                std::string remote);

}  // namespace dkron::net
