#include "net/http.h"

#include <algorithm>

namespace dkron::net {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool percent_decode(std::string_view raw, bool plus_is_blank, std::string* decoded) {
  decoded->clear();
  decoded->reserve(raw.size());
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != '%') {
      *decoded += plus_is_blank && raw[i] == '+' ? ' ' : raw[i];
      continue;
    }
    if (i + 2 >= raw.size()) return false;
    const int high = hex_value(raw[i + 1]);
    const int low = hex_value(raw[i + 2]);
    if (high < 0 || low < 0) return false;
    *decoded += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return true;
}

bool stays_in_segment(char c) {
  const bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  return is_word || std::string_view("-_.~$&+:=@").find(c) != std::string_view::npos;
}

}  // namespace

std::string_view to_string(Method method) {
  switch (method) {
    case Method::Get: return "GET";
    case Method::Head: return "HEAD";
    case Method::Post: return "POST";
    case Method::Put: return "PUT";
    case Method::Patch: return "PATCH";
    case Method::Delete: return "DELETE";
    case Method::Options: return "OPTIONS";
    case Method::Other: return "OTHER";
  }
  return "OTHER";
}

bool is_same_header(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view find_header(const Headers& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (is_same_header(key, name)) return value;
  }
  return {};
}

const QueryParameter* Request::find_query(std::string_view name) const {
  const auto found = std::find_if(query.begin(), query.end(),
                                  [name](const QueryParameter& p) { return p.name == name; });
  return found == query.end() ? nullptr : &*found;
}

std::vector<QueryParameter> parse_query(std::string_view raw) {
  std::vector<QueryParameter> parameters;
  while (!raw.empty()) {
    const std::string_view pair = raw.substr(0, raw.find('&'));
    raw.remove_prefix(std::min(raw.size(), pair.size() + 1));
    // The reference refuses semicolons, which some servers take for separators.
    if (pair.empty() || pair.find(';') != pair.npos) continue;
    const std::size_t equals = pair.find('=');
    QueryParameter parameter;
    parameter.has_value = equals != pair.npos;
    if (!percent_decode(pair.substr(0, equals), true, &parameter.name)) continue;
    if (parameter.has_value && !percent_decode(pair.substr(equals + 1), true, &parameter.value)) {
      continue;
    }
    parameters.push_back(std::move(parameter));
  }
  return parameters;
}

bool decode_segment(std::string_view raw, std::string* decoded) {
  return percent_decode(raw, false, decoded);
}

std::string encode_segment(std::string_view text) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    if (stays_in_segment(c)) {
      encoded += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    encoded += '%';
    encoded += kDigits[byte >> 4];
    encoded += kDigits[byte & 15];
  }
  return encoded;
}

}  // namespace dkron::net
