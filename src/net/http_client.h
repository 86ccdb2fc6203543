// http_fetch: one HTTP exchange through libcurl, blocking (worker threads and command-line tools).
//
// No proxy environment, http and https only, at most `redirect_limit` redirects. The body beyond
// `body_limit_bytes` is dropped and `body_truncated` set; without keep_tail the transfer ends
// there. 301, 302 and 303 go on as GET without body, 307 and 308 repeat the request; another host
// gets no Authorization or Cookie. Nothing is added to the request but Host, Content-Length and
// `Accept-Encoding: gzip` (unless given), which is unpacked; limits count unpacked bytes.
//
// A transport failure is an Error with the texts of Go's client where users of the original know
// them (spec executors 2), for example
// `Get "http://127.0.0.1:1/": dial tcp 127.0.0.1:1: connect: connection refused`. Thread-safe.
#pragma once

#include <atomic>
#include <string>

#include "base/error.h"
#include "base/time.h"
#include "net/http.h"

namespace dkron::net {

struct FetchOptions {
  std::string method = "GET";
  std::string url;
  Headers headers;
  std::string body;
  Duration timeout = seconds(30);  // 0 = none
  std::size_t body_limit_bytes = std::size_t{16} * 1024 * 1024;
  bool keep_tail = false;   // Truncation keeps the last bytes instead of the first.
  std::string ca_file;      // https: trust these certificates (PEM) and no other; "" = the system's
  int redirect_limit = 10;  // 0 = redirects are not followed but returned.
  const std::atomic<bool>* canceled = nullptr;  // Checked at least once a second.
};

struct FetchResult {
  int status = 0;
  Headers headers;
  std::string body;
  bool body_truncated = false;
};

Result<FetchResult> http_fetch(const FetchOptions& options);

}  // namespace dkron::net
