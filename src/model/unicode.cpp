#include "model/unicode.h"

#include <unictype.h>
#include <unistr.h>

#include <cstdint>

namespace dkron::model {
namespace {

const std::uint8_t* bytes(std::string_view text) {
  return reinterpret_cast<const std::uint8_t*>(text.data());
}

// Length of the well-formed character at the front, 0 when it is malformed.
std::size_t character_length(std::string_view text, ucs4_t* code_point) {
  const int n = u8_mbtoucr(code_point, bytes(text), text.size());
  return n > 0 ? static_cast<std::size_t>(n) : 0;
}

}  // namespace

std::string_view next_character(std::string_view* text) {
  ucs4_t code_point = 0;
  std::size_t n =
      static_cast<unsigned char>(text->front()) < 0x80 ? 1 : character_length(*text, &code_point);
  if (n == 0) n = 1;
  const std::string_view character = text->substr(0, n);
  text->remove_prefix(n);
  return character;
}

bool is_lower_case_letter(std::string_view character) {
  if (character.size() == 1) return character[0] >= 'a' && character[0] <= 'z';
  ucs4_t code_point = 0;
  if (character_length(character, &code_point) != character.size()) return false;
  return uc_is_general_category(code_point, UC_LOWERCASE_LETTER);
}

std::size_t find_malformed_utf8(std::string_view text) {
  const std::uint8_t* const at = u8_check(bytes(text), text.size());
  return at == nullptr ? text.npos : static_cast<std::size_t>(at - bytes(text));
}

bool is_valid_utf8(std::string_view text) {
  return find_malformed_utf8(text) == text.npos;
}

std::string to_valid_utf8(std::string_view text) {
  if (is_valid_utf8(text)) return std::string(text);
  std::string valid;
  valid.reserve(text.size());
  while (!text.empty()) {
    ucs4_t code_point = 0;
    const std::size_t n = character_length(text, &code_point);
    if (n == 0) {
      valid += "\xEF\xBF\xBD";
      text.remove_prefix(1);
    } else {
      valid += text.substr(0, n);
      text.remove_prefix(n);
    }
  }
  return valid;
}

std::string_view tail_at_character(std::string_view text, std::size_t limit_bytes) {
  if (text.size() <= limit_bytes) return text;
  text.remove_prefix(text.size() - limit_bytes);
  // At most three continuation bytes belong to a character whose front was cut off.
  for (int i = 0; i < 3 && !text.empty() && (text.front() & 0xC0) == 0x80; ++i)
    text.remove_prefix(1);
  return text;
}

}  // namespace dkron::model
