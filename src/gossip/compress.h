// The compress message, which packets and streams share: type byte 09 and a map {Algo, Buf} around
// LZW data. Internal to gossip.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace dkron::gossip {

// With the type byte.
std::string compress(std::string_view plain);

// `body` stands behind the type byte. TooLarge beyond `max_bytes`.
Result<std::string> decompress(std::string_view body, std::size_t max_bytes);

}  // namespace dkron::gossip
