#include "net/http_url.h"

#include <algorithm>

#include "base/go_text.h"

namespace dkron::net {
namespace {

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

std::string to_lower(std::string_view text) {
  std::string lowered(text);
  for (char& c : lowered) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return lowered;
}

// The length of "scheme" in "scheme:..."; 0 = none, npos = a colon where the scheme should be.
std::size_t scheme_size(std::string_view url) {
  for (std::size_t i = 0; i < url.size(); ++i) {
    const char c = url[i];
    if (is_letter(c)) continue;
    if (c == ':') return i == 0 ? url.npos : i;
    if (i == 0 || (!is_digit(c) && c != '+' && c != '-' && c != '.')) return 0;
  }
  return 0;
}

// From behind "//" to the path; empty when there is none.
std::string_view authority(std::string_view url) {
  const std::size_t scheme = scheme_size(url);
  if (scheme == url.npos) return {};
  url.remove_prefix(scheme == 0 ? 0 : scheme + 1);
  if (!url.starts_with("//")) return {};
  url.remove_prefix(2);
  return url.substr(0, url.find_first_of("/?#"));
}

std::string_view host_and_port(std::string_view url) {
  const std::string_view whole = authority(url);
  const std::size_t at = whole.rfind('@');
  return at == whole.npos ? whole : whole.substr(at + 1);
}

tl::unexpected<Error> parse_error(std::string_view url, std::string_view reason) {
  return fail(ErrorCode::InvalidArgument, "parse " + go::quote(url) + ": " + std::string(reason));
}

// The text behind the host: "", ":80", or what is wrong there.
std::string_view port_text(std::string_view host) {
  const std::size_t bracket = host.rfind(']');
  const std::size_t from = bracket == host.npos ? 0 : bracket + 1;
  const std::size_t colon = host.find(':', from);
  return colon == host.npos ? std::string_view() : host.substr(colon);
}

}  // namespace

Result<void> check_url_syntax(std::string_view url) {
  const bool has_control = std::any_of(url.begin(), url.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
  if (has_control) return parse_error(url, "net/url: invalid control character in URL");
  if (url.empty()) return parse_error(url, "empty url");
  const std::size_t scheme = scheme_size(url);
  if (scheme == url.npos) return parse_error(url, "missing protocol scheme");
  if (scheme == 0 && url.substr(0, url.find_first_of("/?#")).find(':') != url.npos) {
    return parse_error(url, "first path segment in URL cannot contain colon");
  }
  const std::string_view host = host_and_port(url);
  if (host.find(' ') != host.npos) {
    return parse_error(url, "invalid character \" \" in host name");
  }
  const std::string_view port = port_text(host);
  if (!port.empty() && !std::all_of(port.begin() + 1, port.end(), is_digit)) {
    return parse_error(url, "invalid port " + go::quote(port) + " after host");
  }
  const std::string_view before_query = url.substr(0, url.find('?'));
  for (std::size_t i = before_query.find('%'); i != url.npos; i = before_query.find('%', i + 1)) {
    const std::string_view escape = before_query.substr(i, 3);
    if (escape.size() == 3 && is_hex(escape[1]) && is_hex(escape[2])) continue;
    return parse_error(url, "invalid URL escape " + go::quote(escape));
  }
  return {};
}

Result<void> check_url_target(std::string_view url) {
  const std::size_t size = scheme_size(url);
  const std::string scheme = to_lower(url.substr(0, size == url.npos ? 0 : size));
  if (scheme != "http" && scheme != "https") {
    return fail(ErrorCode::InvalidArgument, "unsupported protocol scheme " + go::quote(scheme));
  }
  if (url_host(url).empty()) {
    return fail(ErrorCode::InvalidArgument, "http: no Host in request URL");
  }
  return {};
}

std::string without_password(std::string_view url) {
  const std::string_view whole = authority(url);
  const std::size_t at = whole.rfind('@');
  const std::size_t colon = whole.find(':');
  if (at == whole.npos || colon == whole.npos || colon > at) return std::string(url);
  const auto start = static_cast<std::size_t>(whole.data() - url.data());
  std::string shown(url.substr(0, start + colon + 1));
  return shown.append("***").append(url.substr(start + at));
}

std::string with_escaped_blanks(std::string_view url) {
  std::string escaped;
  escaped.reserve(url.size());
  for (const char c : url) {
    if (c == ' ') {
      escaped += "%20";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

std::string url_host(std::string_view url) {
  std::string_view host = host_and_port(url);
  host.remove_suffix(port_text(host).size());
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return to_lower(host);
}

}  // namespace dkron::net
