// Checks of a URL before a request, with the error texts of Go's net/url and net/http.
//
// Free functions; thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace dkron::net {

// What url.Parse refuses: `parse "::::": missing protocol scheme`. What the transport refuses is
// without the prefix: `unsupported protocol scheme "ftp"`, `http: no Host in request URL`.
Result<void> check_url_syntax(std::string_view url);
Result<void> check_url_target(std::string_view url);

// "https://user:secret@host/" -> "https://user:***@host/", for messages.
std::string without_password(std::string_view url);

// Blanks behind the host become %20, as Go sends them.
std::string with_escaped_blanks(std::string_view url);

// Host of "http://user@host:80/x", lower case, without port and brackets.
std::string url_host(std::string_view url);

}  // namespace dkron::net
