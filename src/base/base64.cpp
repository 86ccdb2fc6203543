#include "base/base64.h"

#include <cstdint>

namespace dkron {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

tl::unexpected<Error> illegal(std::size_t at) {
  return fail(ErrorCode::InvalidArgument,
              "illegal base64 data at input byte " + std::to_string(at));
}

}  // namespace

std::string to_base64(std::string_view bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      text += i + j > bytes.size() ? '=' : kAlphabet[group >> (18 - 6 * j) & 63];
    }
  }
  return text;
}

Result<std::string> from_base64(std::string_view text) {
  std::string bytes;
  std::size_t i = 0;
  while (i < text.size()) {
    std::uint32_t group = 0;
    std::size_t digits = 0;
    for (; digits < 4 && i + digits < text.size(); ++digits) {
      const auto value = kAlphabet.find(text[i + digits]);
      if (value == kAlphabet.npos) break;
      group = group << 6 | static_cast<std::uint32_t>(value);
    }
    if (digits == 4) {
      for (int shift = 16; shift >= 0; shift -= 8)
        bytes += static_cast<char>(group >> shift & 0xff);
      i += 4;
      continue;
    }
    const std::size_t padding = 4 - digits;
    const bool is_padded =
        digits >= 2 && text.substr(i + digits) == std::string_view("==").substr(0, padding);
    if (!is_padded) return illegal(i + digits < text.size() && digits < 2 ? i + digits : i);
    group <<= 6 * padding;
    for (std::size_t j = 0; j + 1 < digits; ++j)
      bytes += static_cast<char>(group >> (16 - 8 * j) & 0xff);
    i = text.size();
  }
  return bytes;
}

}  // namespace dkron
