#include "base/checksum.h"

#include <xxhash.h>

namespace dkron {

std::uint64_t checksum64(std::string_view bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

}  // namespace dkron
