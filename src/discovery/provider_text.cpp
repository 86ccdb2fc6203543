#include "discovery/provider_text.h"

#include <algorithm>

#include "base/go_text.h"

namespace dkron::discovery {
namespace {

enum class TokenKind { Text, Equal, Error };

struct Token {
  TokenKind kind = TokenKind::Text;
  std::string text;
};

Token text_token(std::string_view raw) {
  return {TokenKind::Text, std::string(go::trim_space(raw))};
}

// `raw` begins with blanks and a quote; takes it from `rest` up to the closing quote.
Token take_quoted(std::string_view* rest, std::size_t opening) {
  for (std::size_t i = opening + 1; i < rest->size(); ++i) {
    const char c = (*rest)[i];
    if (c == '\\') {
      if (i + 1 == rest->size()) {
        rest->remove_prefix(rest->size());
        return {TokenKind::Error, "unterminated escape sequence"};
      }
      ++i;
    } else if (c == '"') {
      auto value = unquote(rest->substr(opening, i + 1 - opening));
      rest->remove_prefix(i + 1);
      if (!value) return {TokenKind::Error, value.error().message};
      return {TokenKind::Text, std::move(*value)};
    }
  }
  rest->remove_prefix(rest->size());
  return {TokenKind::Error, "unbalanced quotes"};
}

// The next token of a text that is not empty.
Token take_token(std::string_view* rest) {
  const std::size_t begin = rest->find_first_not_of(' ');
  if (begin == rest->npos) {
    rest->remove_prefix(rest->size());
    return text_token("");
  }
  if ((*rest)[begin] == '=') {
    rest->remove_prefix(begin + 1);
    return {TokenKind::Equal, ""};
  }
  if ((*rest)[begin] == '"') return take_quoted(rest, begin);
  const std::size_t end = std::min(rest->size(), rest->find_first_of(" =", begin));
  Token token = text_token(rest->substr(begin, end - begin));
  rest->remove_prefix(end);
  return token;
}

tl::unexpected<Error> wrong(const std::string& key, const std::string& what) {
  return fail(ErrorCode::InvalidArgument, key + ": " + what);
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void append_utf8(std::uint32_t rune, std::string* out) {
  const auto add = [out](std::uint32_t byte) { out->push_back(static_cast<char>(byte)); };
  if (rune < 0x80) {
    add(rune);
  } else if (rune < 0x800) {
    add(0xc0 | rune >> 6);
    add(0x80 | (rune & 0x3f));
  } else if (rune < 0x10000) {
    add(0xe0 | rune >> 12);
    add(0x80 | (rune >> 6 & 0x3f));
    add(0x80 | (rune & 0x3f));
  } else {
    add(0xf0 | rune >> 18);
    add(0x80 | (rune >> 12 & 0x3f));
    add(0x80 | (rune >> 6 & 0x3f));
    add(0x80 | (rune & 0x3f));
  }
}

// Takes `count` digits of `base` (8 or 16); false when they are not there.
bool take_number(std::string_view* rest, std::size_t count, std::uint32_t base,
                 std::uint32_t* value) {
  if (rest->size() < count) return false;
  *value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const int digit = hex_digit((*rest)[i]);
    if (digit < 0 || static_cast<std::uint32_t>(digit) >= base) return false;
    *value = *value * base + static_cast<std::uint32_t>(digit);
  }
  rest->remove_prefix(count);
  return true;
}

// What follows a backslash; false when Go knows no such escape.
bool take_escape(std::string_view* rest, std::string* out) {
  constexpr std::string_view kLetters = "abfnrtv\\\"";
  constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\\"";
  const char c = rest->empty() ? '\0' : rest->front();
  const std::size_t letter = kLetters.find(c);
  if (letter != kLetters.npos) {
    rest->remove_prefix(1);
    out->push_back(kMeanings[letter]);
    return true;
  }
  std::uint32_t value = 0;
  if (c >= '0' && c <= '7') {
    if (!take_number(rest, 3, 8, &value) || value > 0xff) return false;
    out->push_back(static_cast<char>(value));
    return true;
  }
  if (c != 'x' && c != 'u' && c != 'U') return false;
  rest->remove_prefix(1);
  if (!take_number(rest, c == 'x' ? 2 : (c == 'u' ? 4 : 8), 16, &value)) return false;
  if (c == 'x') {
    out->push_back(static_cast<char>(value));
    return true;
  }
  if (value > 0x10ffff || (value >= 0xd800 && value < 0xe000)) return false;
  append_utf8(value, out);
  return true;
}

}  // namespace

Result<std::string> unquote(std::string_view quoted) {
  const auto invalid = [] { return fail(ErrorCode::InvalidArgument, "invalid syntax"); };
  if (quoted.size() < 2 || quoted.front() != '"' || quoted.back() != '"') return invalid();
  std::string_view rest = quoted.substr(1, quoted.size() - 2);
  std::string value;
  while (!rest.empty()) {
    const char c = rest.front();
    rest.remove_prefix(1);
    if (c == '"' || c == '\n') return invalid();
    if (c != '\\') {
      value.push_back(c);
    } else if (!take_escape(&rest, &value)) {
      return invalid();
    }
  }
  return value;
}

Result<Parameters> parse_provider_text(std::string_view text) {
  if (text.size() > kProviderTextLimit) {
    return fail(ErrorCode::TooLarge,
                "the text is longer than " + std::to_string(kProviderTextLimit) + " bytes");
  }
  enum class Expects { Key, Equal, Value } expects = Expects::Key;
  Parameters parameters;
  std::string key;
  for (std::string_view rest = go::trim_space(text); !rest.empty();) {
    Token token = take_token(&rest);
    switch (expects) {
      case Expects::Key:
        if (token.kind == TokenKind::Equal) {
          return wrong(key, "- equals in key's value, enclosing quotes needed");
        }
        if (token.kind == TokenKind::Error) {
          return wrong(key, "error with key=value pair " + token.text);
        }
        key = std::move(token.text);
        if (parameters.contains(key)) return wrong(key, "duplicate key");
        expects = Expects::Equal;
        break;
      case Expects::Equal:
        if (token.kind != TokenKind::Equal) return wrong(key, "missing '='");
        expects = Expects::Value;
        break;
      case Expects::Value:
        if (token.kind == TokenKind::Equal) return wrong(key, "missing value");
        if (token.kind == TokenKind::Error) return wrong(key, token.text);
        parameters[key] = std::move(token.text);
        expects = Expects::Key;
        break;
    }
  }
  if (expects == Expects::Equal) return wrong(key, "missing '='");
  if (expects == Expects::Value) return wrong(key, "missing value");
  return parameters;
}

}  // namespace dkron::discovery
