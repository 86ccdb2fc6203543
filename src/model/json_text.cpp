#include "model/json_text.h"

#include <charconv>
#include <optional>

#include "base/go_text.h"
#include "model/unicode.h"

namespace dkron::model {
namespace {

constexpr std::size_t kEscapeSize = 6;  // \uXXXX

// The number of the escape `\uXXXX` at that place; none when there is no such escape.
std::optional<unsigned> escape_at(std::string_view json, std::size_t at) {
  if (json.size() < at + kEscapeSize || json[at] != '\\' || json[at + 1] != 'u')
    return std::nullopt;
  unsigned value = 0;
  const char* const first = json.data() + at + 2;
  const auto [end, error] = std::from_chars(first, first + 4, value, 16);
  return error == std::errc() && end == first + 4 ? std::optional(value) : std::nullopt;
}

bool is_high(std::optional<unsigned> value) {
  return value && *value >= 0xD800 && *value < 0xDC00;
}

bool is_low(std::optional<unsigned> value) {
  return value && *value >= 0xDC00 && *value < 0xE000;
}

// The place of the first lone surrogate from `from` on; npos when there is none.
std::size_t find_lone_surrogate(std::string_view json, std::size_t from) {
  for (std::size_t at = json.find('\\', from); at != json.npos; at = json.find('\\', at)) {
    const auto value = escape_at(json, at);
    if (is_high(value) && is_low(escape_at(json, at + kEscapeSize))) {
      at += 2 * kEscapeSize;
    } else if (is_high(value) || is_low(value)) {
      return at;
    } else {
      at += 2;  // Also an escaped backslash.
    }
  }
  return json.npos;
}

}  // namespace

std::string replace_lone_surrogates(std::string_view json) {
  std::string text(json);
  for (std::size_t at = find_lone_surrogate(text, 0); at != text.npos;
       at = find_lone_surrogate(text, at + kEscapeSize)) {
    text.replace(at + 2, 4, "fffd");
  }
  return text;
}

bool has_malformed_characters(std::string_view json) {
  return !is_valid_utf8(json) || find_lone_surrogate(json, 0) != json.npos;
}

std::string describe_json_error(std::string_view json, std::size_t position,
                                std::string_view cause) {
  const bool is_end = position >= json.size();
  const std::string place = " at byte " + std::to_string((is_end ? json.size() : position) + 1);
  if (is_end) return "the JSON text ends too early," + place;
  if (!cause.empty()) return std::string(cause) + place;
  std::string_view rest = json.substr(position);
  const std::string character = to_valid_utf8(next_character(&rest));
  // In quotes of its own, with control characters as escapes.
  const std::string quoted = go::quote(character);
  return "unexpected '" + (character == "\"" ? character : quoted.substr(1, quoted.size() - 2)) +
         "'" + place;
}

}  // namespace dkron::model
