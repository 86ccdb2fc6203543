// RequestParser: turns the bytes of one connection into requests, one after the other.
//
// The head is read by Beast's parser, the body (by length or chunked) by our own strict code,
// because Beast's chunk code trips over its own assertions when the last chunk comes byte by byte,
// and gives trailers out as headers. Everything that could let two readers disagree on where a
// request ends is refused. No socket, no clock: the fuzz target feeds exactly this class. Owned by
// a connection; one thread.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "net/http.h"

namespace dkron::net {

struct ParserLimits {
  // Request line, headers and trailers together.
  std::size_t header_bytes = std::size_t{64} * 1024;
  std::size_t body_bytes = std::size_t{64} * 1024 * 1024;
  std::function<std::size_t(Method, std::string_view path)> body_limit;  // May be null.
};

class RequestParser {
 public:
  enum class Step { NeedMore, Complete, Failed };

  // A line of chunk framing may not be longer.
  static constexpr std::size_t kChunkLineLimit = 4096;

  // `limits` must outlive the parser.
  explicit RequestParser(const ParserLimits& limits);
  ~RequestParser();

  // Reads from the front of `bytes`; the caller removes `*consumed` of them and presents the rest
  // again, with more behind it. At most max(header_bytes, kChunkLineLimit) bytes stay unconsumed
  // with NeedMore. After Complete call take(), after Failed nothing but the getters.
  Step parse(std::string_view bytes, std::size_t* consumed);

  bool has_begun() const;        // Some bytes of the request were consumed or seen.
  bool awaits_continue() const;  // The head asks for "100 Continue" and no body byte came yet.
  bool is_head_method() const;
  bool is_http_1_0() const;
  bool keep_alive() const;

  // The request without `remote`; the parser is then ready for the next one, and the getters above
  // speak of that.
  Request take();

  // After Failed: the answer that the client gets.
  int failure_status() const;
  const std::string& failure_reason() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dkron::net
