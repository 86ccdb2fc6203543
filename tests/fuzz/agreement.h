// What every target over a codec asks for: what could be decoded can be written, and that is
// decoded to the same again. Messages have no ==, so their second encoding stands for it.
#pragma once

#include <cstdlib>
#include <string>
#include <string_view>

namespace dkron::fuzz {

inline void require(bool condition) {
  if (!condition) std::abort();
}

// `decode` takes bytes and returns a Result; `encode` takes its value.
template <class Decode, class Encode>
void check_agreement(std::string_view bytes, Decode&& decode, Encode&& encode) {
  const auto first = decode(bytes);
  if (!first) return require(!first.error().message.empty());
  const std::string written = encode(*first);
  const auto second = decode(written);
  require(second.has_value());
  require(encode(*second) == written);
}

inline std::string_view input_of(const unsigned char* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace dkron::fuzz
