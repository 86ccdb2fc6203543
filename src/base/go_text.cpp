#include "base/go_text.h"

#include <charconv>
#include <cstdio>

namespace dkron::go {
namespace {

constexpr char32_t kReplacement = 0xFFFD;

// Length of the sequence that a lead byte announces; 0 for a byte that cannot lead.
std::size_t sequence_length(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return 2;
  if (lead >= 0xE0 && lead <= 0xEF) return 3;
  if (lead >= 0xF0 && lead <= 0xF4) return 4;
  return 0;
}

bool is_valid_rune(char32_t rune, std::size_t length) {
  const bool overlong = (length == 3 && rune < 0x800) || (length == 4 && rune < 0x10000);
  const bool surrogate = rune >= 0xD800 && rune <= 0xDFFF;
  return !overlong && !surrogate && rune <= 0x10FFFF;
}

struct Range {
  char32_t first;
  char32_t last;
};

// What Go does not print: controls, separators, format characters, private use, surrogates.
// Unassigned code points are left out; they are quoted as if they could be printed.
constexpr Range kNotPrintable[] = {
    {0x00, 0x1F},     {0x7F, 0xA0},     {0xAD, 0xAD},       {0x600, 0x605},     {0x61C, 0x61C},
    {0x6DD, 0x6DD},   {0x70F, 0x70F},   {0x1680, 0x1680},   {0x180E, 0x180E},   {0x2000, 0x200F},
    {0x2028, 0x202F}, {0x205F, 0x206F}, {0x3000, 0x3000},   {0xD800, 0xF8FF},   {0xFEFF, 0xFEFF},
    {0xFFF0, 0xFFFB}, {0xFFFE, 0xFFFF}, {0xE0000, 0xE007F}, {0xF0000, 0x10FFFF}};

bool is_printable(char32_t rune) {
  for (const Range& range : kNotPrintable) {
    if (rune >= range.first && rune <= range.last) return false;
  }
  return true;
}

std::string hex(const char* format, unsigned value) {
  char buffer[16];
  const int n = std::snprintf(buffer, sizeof buffer, format, value);
  return std::string(buffer, static_cast<std::size_t>(n));
}

std::string escape(char32_t rune) {
  switch (rune) {
    case '\a': return "\\a";
    case '\b': return "\\b";
    case '\f': return "\\f";
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    case '\v': return "\\v";
    default: break;
  }
  if (rune < ' ' || rune == 0x7F) return hex("\\x%02x", static_cast<unsigned>(rune));
  if (rune < 0x10000) return hex("\\u%04x", static_cast<unsigned>(rune));
  return hex("\\U%08x", static_cast<unsigned>(rune));
}

}  // namespace

char32_t decode_rune(std::string_view text, std::size_t* size_bytes) {
  const auto lead = static_cast<unsigned char>(text.front());
  const std::size_t length = sequence_length(lead);
  *size_bytes = 1;
  if (length == 1) return lead;
  if (length == 0 || text.size() < length) return kReplacement;
  char32_t rune = lead & (0x7FU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xC0U) != 0x80U) return kReplacement;
    rune = (rune << 6) | (next & 0x3FU);
  }
  if (!is_valid_rune(rune, length)) return kReplacement;
  *size_bytes = length;
  return rune;
}

bool is_space(char32_t rune) {
  if (rune <= 0xFF) {
    return rune == ' ' || (rune >= '\t' && rune <= '\r') || rune == 0x85 || rune == 0xA0;
  }
  return rune == 0x1680 || (rune >= 0x2000 && rune <= 0x200A) || rune == 0x2028 || rune == 0x2029 ||
         rune == 0x202F || rune == 0x205F || rune == 0x3000;
}

std::vector<std::string_view> fields(std::string_view text) {
  std::vector<std::string_view> found;
  std::size_t start = 0;
  bool inside = false;
  for (std::size_t i = 0, size = 0; i < text.size(); i += size) {
    const bool space = is_space(decode_rune(text.substr(i), &size));
    if (space && inside) found.push_back(text.substr(start, i - start));
    if (!space && !inside) start = i;
    inside = !space;
  }
  if (inside) found.push_back(text.substr(start));
  return found;
}

std::string_view trim_space(std::string_view text) {
  std::size_t first = text.size();
  std::size_t end = 0;
  for (std::size_t i = 0, size = 0; i < text.size(); i += size) {
    if (is_space(decode_rune(text.substr(i), &size))) continue;
    if (first == text.size()) first = i;
    end = i + size;
  }
  return first == text.size() ? std::string_view() : text.substr(first, end - first);
}

std::string quote(std::string_view text) {
  std::string out = "\"";
  for (std::size_t i = 0, size = 0; i < text.size(); i += size) {
    const char32_t rune = decode_rune(text.substr(i), &size);
    if (rune == kReplacement && size == 1) {
      out += hex("\\x%02x", static_cast<unsigned char>(text[i]));
    } else if (rune == '"' || rune == '\\') {
      out += '\\';
      out += text[i];
    } else if (is_printable(rune)) {
      out += text.substr(i, size);
    } else {
      out += escape(rune);
    }
  }
  return out + "\"";
}

std::string quote_for_time(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80 || byte < ' ') {
      out += hex("\\x%02x", byte);
    } else {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
  }
  return out + "\"";
}

Result<std::int64_t> parse_int(std::string_view text) {
  const auto failure = [&](const char* what) {
    return fail(ErrorCode::InvalidArgument,
                "strconv.Atoi: parsing " + quote(text) + ": " + std::string(what));
  };
  std::string_view digits = text;
  const bool negative = !digits.empty() && digits.front() == '-';
  if (negative || (!digits.empty() && digits.front() == '+')) digits.remove_prefix(1);
  if (digits.empty() || digits.find_first_not_of("0123456789") != digits.npos) {
    return failure("invalid syntax");
  }
  // from_chars knows '-' only, which also lets it read the least number.
  const std::string_view number = negative ? text : digits;
  std::int64_t value = 0;
  const auto read = std::from_chars(number.data(), number.data() + number.size(), value);
  if (read.ec != std::errc()) return failure("value out of range");
  return value;
}

Result<bool> parse_bool(std::string_view text) {
  for (const std::string_view word : {"1", "t", "T", "TRUE", "true", "True"}) {
    if (text == word) return true;
  }
  for (const std::string_view word : {"0", "f", "F", "FALSE", "false", "False"}) {
    if (text == word) return false;
  }
  return fail(ErrorCode::InvalidArgument,
              "strconv.ParseBool: parsing " + quote(text) + ": invalid syntax");
}

}  // namespace dkron::go
