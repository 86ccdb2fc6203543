// Standard Base64 with padding (RFC 4648, section 4).
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace dkron {

std::string to_base64(std::string_view bytes);

// Refuses other alphabets, missing padding and stray bits, with Go's text:
// `illegal base64 data at input byte 3`.
Result<std::string> from_base64(std::string_view text);

}  // namespace dkron
