#include "base/base64.h"

#include <algorithm>
#include <cstdint>

namespace dkron {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

tl::unexpected<Error> illegal_base64(std::size_t position) {
  return fail(ErrorCode::InvalidArgument,
              "illegal base64 data at input byte " + std::to_string(position));
}

bool is_line_end(char c) {
  return c == '\r' || c == '\n';
}

std::size_t skip_line_ends(std::string_view text, std::size_t position) {
  while (position < text.size() && is_line_end(text[position])) ++position;
  return position;
}

// After the first '=' at `position` of a group with `digits` digits: where the text must end.
Result<void> check_padding(std::string_view text, std::size_t position, int digits) {
  if (digits < 2) return illegal_base64(position);
  std::size_t next = position + 1;
  if (digits == 2) {
    next = skip_line_ends(text, next);
    if (next == text.size()) return illegal_base64(text.size());
    if (text[next] != '=') return illegal_base64(next - 1);  // Sic.
    ++next;
  }
  next = skip_line_ends(text, next);
  if (next < text.size()) return illegal_base64(next);
  return {};
}

}  // namespace

Result<std::string> decode_base64(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  std::uint32_t group = 0;
  int digits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_line_end(text[i])) continue;
    if (text[i] == '=') {
      if (auto checked = check_padding(text, i, digits); !checked) return fail(checked.error());
      group <<= 6 * (4 - digits);
      bytes.push_back(static_cast<char>(group >> 16));
      if (digits == 3) bytes.push_back(static_cast<char>(group >> 8));
      return bytes;
    }
    const std::size_t value = kAlphabet.find(text[i]);
    if (value == std::string_view::npos) return illegal_base64(i);
    group = group << 6 | static_cast<std::uint32_t>(value);
    if (++digits < 4) continue;
    for (int shift = 16; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(group >> shift));
    group = 0;
    digits = 0;
  }
  // Go counts back from the end, line ends included.
  if (digits != 0) return illegal_base64(text.size() - static_cast<std::size_t>(digits));
  return bytes;
}

std::string encode_base64(std::string_view bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    for (std::size_t k = 0; k < 3; ++k) {
      group = group << 8 | (k < count ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      text.push_back(k <= count ? kAlphabet[group >> (18 - 6 * k) & 63U] : '=');
    }
  }
  return text;
}

}  // namespace dkron
