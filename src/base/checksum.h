// Checksums over our own bytes on disk and on the wire: XXH3 with 64 bits, from libxxhash.
#pragma once

#include <cstdint>
#include <string_view>

namespace dkron {

std::uint64_t checksum64(std::string_view bytes);

}  // namespace dkron
