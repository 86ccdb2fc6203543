// The head of a response as bytes: status line, headers, the server's own Content-Length,
// Connection and Date. Free functions and a value; one thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "net/http.h"

namespace dkron::net {

// "Sun, 06 Nov 1994 08:49:37 GMT", rendered once a second.
class HttpDate {
 public:
  std::string_view at(std::int64_t unix_seconds);

 private:
  std::int64_t rendered_for_ = -1;
  std::string text_;
};

struct ResponseContext {
  bool is_http_1_0 = false;
  bool keep_alive = true;
  std::string_view date;
};

std::string_view reason_phrase(int status);

// False for 204 and 304, which have neither body nor Content-Length.
bool may_have_body(int status);

// True when the handler's headers ask for the end of the connection.
bool wants_close(const Response& response);

// Appends the head with its empty line. Header names that are no tokens are left out, and CR, LF
// and NUL are cut from values, so that no text of a user can start a header or a response of its
// own.
void append_head(std::string* out, const Response& response, const ResponseContext& context);

}  // namespace dkron::net
