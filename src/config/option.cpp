#include "config/option.h"

#include <charconv>

#include "base/go_text.h"

namespace dkron::config {
namespace {

tl::unexpected<Error> invalid(std::string_view function, std::string_view text,
                              std::string_view why) {
  return fail(ErrorCode::InvalidArgument,
              std::string(function) + ": parsing " + go::quote(text) + ": " + std::string(why));
}

template <class Number>
Result<Number> parse_number(std::string_view function, std::string_view text) {
  const std::string_view digits = !text.empty() && text[0] == '+' ? text.substr(1) : text;
  Number value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error == std::errc::result_out_of_range) return invalid(function, text, "value out of range");
  if (error != std::errc() || end != digits.data() + digits.size()) {
    return invalid(function, text, "invalid syntax");
  }
  return value;
}

}  // namespace

std::string_view type_word(Type type) {
  switch (type) {
    case Type::Bool: return "";
    case Type::Int: return "int";
    case Type::Uint16: return "uint16";
    case Type::String: return "string";
    case Type::Strings: return "strings";
    case Type::Duration: return "duration";
  }
  return "";
}

Result<void> check_value(Type type, std::string_view text) {
  switch (type) {
    case Type::Bool:
      if (auto b = go::parse_bool(text); !b) return fail(b.error());
      return {};
    case Type::Int:
      if (auto n = parse_number<std::int64_t>("strconv.ParseInt", text); !n) return fail(n.error());
      return {};
    case Type::Uint16:
      if (auto n = parse_number<std::uint16_t>("strconv.ParseUint", text); !n)
        return fail(n.error());
      return {};
    case Type::String: return {};
    case Type::Strings:
      if (auto list = split_list(text); !list) return fail(list.error());
      return {};
    case Type::Duration:
      if (auto d = parse_duration(text); !d) return fail(d.error());
      return {};
  }
  return {};
}

bool read_bool(std::string_view text) {
  return go::parse_bool(text).value_or(false);
}

std::int64_t read_int(std::string_view text) {
  return parse_number<std::int64_t>("strconv.ParseInt", text).value_or(0);
}

// RFC 4180 as Go reads it: quotes count only around a whole field, "" inside them is one quote.
Result<std::vector<std::string>> split_list(std::string_view text) {
  std::vector<std::string> fields;
  if (text.empty()) return fields;
  std::size_t i = 0;
  for (;;) {
    std::string field;
    if (i < text.size() && text[i] == '"') {
      ++i;
      for (;; ++i) {
        if (i == text.size()) {
          return fail(ErrorCode::InvalidArgument, "a quoted list value has no closing quote");
        }
        if (text[i] != '"') {
          field += text[i];
        } else if (i + 1 < text.size() && text[i + 1] == '"') {
          field += '"';
          ++i;
        } else {
          break;
        }
      }
      ++i;
      if (i < text.size() && text[i] != ',') {
        return fail(ErrorCode::InvalidArgument, "text behind the closing quote of a list value");
      }
    } else {
      const std::size_t comma = std::min(text.find(',', i), text.size());
      field = text.substr(i, comma - i);
      if (field.find('"') != std::string::npos) {
        return fail(ErrorCode::InvalidArgument, "a bare quote inside a list value");
      }
      i = comma;
    }
    fields.push_back(std::move(field));
    if (i >= text.size()) return fields;
    ++i;
  }
}

}  // namespace dkron::config
