// Standard Base64 with padding (RFC 4648, section 4), as Go reads it: CR and LF are skipped, and
// errors name the byte: `illegal base64 data at input byte 3`. Pure functions, thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace dkron {

Result<std::string> decode_base64(std::string_view text);
std::string encode_base64(std::string_view bytes);

}  // namespace dkron
