// LZW as Go's compress/lzw with least-significant-bit order and 8-bit literals: what memberlist
// compresses with. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace dkron::codec {

// Byte-identical to Go's encoder: a clear code first, an end code last.
std::string lzw_compress(std::string_view plain);

// Corrupt for an invalid code or a missing end code; TooLarge beyond `max_bytes` of output.
Result<std::string> lzw_decompress(std::string_view packed, std::size_t max_bytes);

}  // namespace dkron::codec
