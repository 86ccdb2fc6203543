// The grammar of a provider's text: `provider=NAME key=value key="a \"quoted\" value"`.
//
// Blanks separate; a key or value with blanks, `=`, `"` or a backslash is quoted as a Go string.
// The rules, down to the error texts, are those of the original's parser (go-discover), since
// people have such texts in their configurations. Free functions, thread-safe; any bytes are safe.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "discovery/query.h"

namespace dkron::discovery {

inline constexpr std::size_t kProviderTextLimit = std::size_t{16} * 1024;

// Errors (InvalidArgument) name the key: `region: missing '='`, `tag: duplicate key`,
// `tag: unbalanced quotes`. Never the value, which may be a secret.
Result<Parameters> parse_provider_text(std::string_view text);

// A double-quoted Go string, quotes included, as strconv.Unquote reads it; the error is
// `invalid syntax`.
Result<std::string> unquote(std::string_view quoted);

}  // namespace dkron::discovery
