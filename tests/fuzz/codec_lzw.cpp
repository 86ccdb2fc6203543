// Any bytes as LZW data, and any bytes packed and unpacked.
#include <cstdint>

#include "agreement.h"
#include "codec/lzw.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace dkron::codec;
  constexpr std::size_t kMost = 1 << 18;
  const std::string_view bytes = dkron::fuzz::input_of(data, size);
  const auto back = lzw_decompress(lzw_compress(bytes), bytes.size());
  dkron::fuzz::require(back && *back == bytes);
  dkron::fuzz::check_agreement(
      bytes, [](std::string_view packed) { return lzw_decompress(packed, kMost); }, lzw_compress);
  return 0;
}
