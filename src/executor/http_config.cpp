#include "executor/http_config.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>

#include "base/base64.h"
#include "base/go_text.h"

namespace dkron::executor {
namespace {

namespace json = boost::json;

// Ours beyond Dkron's, and its TLS options: refused instead of ignored.
constexpr std::array<std::string_view, 6> kUnavailableKeys = {"tlsCertificateFile",
                                                              "tlsCertificateKeyFile",
                                                              "tlsRootCAsFile",
                                                              "followRedirects",
                                                              "proxy",
                                                              "retries"};

constexpr std::int64_t kTimeoutLimitSeconds = 10L * 366 * 24 * 3600;
constexpr std::int64_t kDefaultTimeoutSeconds = 30;

tl::unexpected<Error> invalid(std::string message) {
  return fail(ErrorCode::InvalidArgument, std::move(message));
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool equal_names(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

Result<void> check_available(const Config& config) {
  for (const std::string_view key : kUnavailableKeys) {
    if (!find_value(config, key).empty()) return invalid(std::string(key) + ": not available yet");
  }
  const std::string_view no_verify = find_value(config, "tlsNoVerifyPeer");
  if (go::parse_bool(no_verify).value_or(false))
    return invalid("tlsNoVerifyPeer: not available yet");
  return {};
}

bool has_header(const net::Headers& headers, std::string_view name) {
  return std::any_of(headers.begin(), headers.end(),
                     [name](const auto& header) { return equal_names(header.first, name); });
}

// A token of RFC 9110; anything else would let a header break out of its line.
bool is_header_name(std::string_view name) {
  constexpr std::string_view kSymbols = "!#$%&'*+-.^_`|~";
  return !name.empty() && std::all_of(name.begin(), name.end(), [&](char c) {
    const bool is_letter = lower(c) >= 'a' && lower(c) <= 'z';
    return is_letter || (c >= '0' && c <= '9') || kSymbols.find(c) != std::string_view::npos;
  });
}

bool is_header_value(std::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char c) {
    return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
  });
}

// `Get "http://h/"`: how Go's client begins its errors.
std::string error_prefix(const net::FetchOptions& request) {
  std::string verb = request.method;
  std::transform(verb.begin() + 1, verb.end(), verb.begin() + 1, lower);
  return verb + " " + go::quote(request.url) + ": ";
}

std::optional<std::vector<std::string>> parse_string_array(std::string_view text) {
  boost::system::error_code error;
  const json::value value = json::parse({text.data(), text.size()}, error);
  if (error || !value.is_array()) return std::nullopt;
  std::vector<std::string> items;
  for (const json::value& item : value.get_array()) {
    if (!item.is_string()) return std::nullopt;
    items.emplace_back(item.get_string());
  }
  return items;
}

Result<void> read_headers(std::string_view text, HttpPlan* plan) {
  if (text.empty()) return {};
  const auto items = parse_string_array(text);
  if (!items) {
    plan->preamble += "Error: parsing headers failed\n";
    return {};
  }
  for (const std::string_view item : *items) {
    if (item.empty()) continue;
    const std::size_t colon = item.find(':');
    if (colon == std::string_view::npos) {
      plan->preamble += "Error: header without a colon: " + go::quote(item) + "\n";
      continue;
    }
    const std::string_view name = go::trim_space(item.substr(0, colon));
    const std::string_view value = go::trim_space(item.substr(colon + 1));
    if (!is_header_name(name)) {
      return invalid(error_prefix(plan->request) + "net/http: invalid header field name " +
                     go::quote(name));
    }
    if (!is_header_value(value)) {
      return invalid(error_prefix(plan->request) + "net/http: invalid header field value for " +
                     go::quote(name));
    }
    plan->request.headers.emplace_back(name, value);
  }
  return {};
}

void read_timeout(const Config& config, HttpPlan* plan) {
  const std::string_view text = find_value(config, "timeout");
  std::int64_t timeout_seconds = kDefaultTimeoutSeconds;
  if (!text.empty()) {
    if (const auto parsed = go::parse_int(text)) {
      timeout_seconds = std::clamp<std::int64_t>(*parsed, 0, kTimeoutLimitSeconds);
    } else {
      plan->preamble += "Warning: invalid timeout value: " + go::quote(text) + " not understood (" +
                        parsed.error().message + "), using default value of 30.\n";
    }
  }
  plan->request.timeout = seconds(timeout_seconds);
}

Result<void> read_body(const Config& config, HttpPlan* plan) {
  plan->request.body = find_value(config, "body");
  const std::string_view encoded = find_value(config, "bodyBase64");
  if (encoded.empty()) return {};
  auto decoded = decode_base64(encoded);
  if (!decoded) return invalid("bodyBase64: " + decoded.error().message);
  plan->request.body = std::move(*decoded);
  return {};
}

std::string expression_without_slashes(const std::string& expression) {
  const bool is_enclosed =
      expression.size() >= 2 && expression.front() == '/' && expression.back() == '/';
  return is_enclosed ? expression.substr(1, expression.size() - 2) : expression;
}

bool body_matches(const std::string& expression, const std::string& body) {
  const RE2 pattern(expression, RE2::Quiet);
  return pattern.ok() && RE2::PartialMatch(body, pattern);
}

// An item that cannot be read accepts nothing; the others still count.
bool code_matches(std::string_view expected, int status) {
  while (!expected.empty()) {
    const std::size_t end = std::min(expected.find(','), expected.size());
    const auto set = CodeSet::parse(expected.substr(0, end), true);
    if (set && set->contains(status)) return true;
    expected.remove_prefix(std::min(end + 1, expected.size()));
  }
  return false;
}

std::string redacted_headers(const std::string& text) {
  auto items = parse_string_array(text);
  if (!items) return "***";
  json::array shown;
  for (const std::string_view item : *items) {
    const std::string_view name = item.substr(0, std::min(item.find(':'), item.size()));
    const std::string_view trimmed = go::trim_space(name);
    const bool is_secret = equal_names(trimmed, "Authorization") ||
                           equal_names(trimmed, "Cookie") ||
                           equal_names(trimmed, "Proxy-Authorization");
    shown.emplace_back(is_secret ? std::string(trimmed) + ": ***" : std::string(item));
  }
  return json::serialize(shown);
}

// http://user:password@host/ with the user info hidden.
std::string redacted_url(const std::string& url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string::npos) return url;
  const std::size_t start = scheme + 3;
  const std::size_t authority_end = std::min(url.find_first_of("/?#", start), url.size());
  const std::size_t at = url.substr(0, authority_end).rfind('@');
  return at == std::string::npos || at < start ? url
                                               : url.substr(0, start) + "***" + url.substr(at);
}

std::string redacted(const std::string& key, const std::string& value) {
  if (key == "headers") return redacted_headers(value);
  if (key == "url") return redacted_url(value);
  return key == "password" ? "***" : value;
}

}  // namespace

Result<void> validate_http(const Config& config) {
  if (auto available = check_available(config); !available) return available;
  const std::string expression(find_value(config, "expectBody"));
  if (!expression.empty()) {
    const RE2 pattern(expression, RE2::Quiet);
    if (!pattern.ok()) return invalid("expectBody: " + pattern.error());
  }
  if (auto codes = CodeSet::parse(find_value(config, "expectCode"), true); !codes) {
    return invalid("expectCode: " + codes.error().message);
  }
  HttpPlan plan;
  return read_body(config, &plan);
}

Result<HttpPlan> plan_http(const Config& config) {
  if (auto available = check_available(config); !available) return fail(available.error());
  HttpPlan plan;
  if (!find_value(config, "debug").empty()) plan.preamble = "Config: " + dump_config(config) + "\n";
  plan.request.url = find_value(config, "url");
  plan.request.method = find_value(config, "method");
  if (plan.request.url.empty()) return invalid("url is empty");
  if (plan.request.method.empty()) return invalid("method is empty");
  if (!is_header_name(plan.request.method)) {
    return invalid("net/http: invalid method " + go::quote(plan.request.method));
  }
  read_timeout(config, &plan);
  if (auto read = read_headers(find_value(config, "headers"), &plan); !read)
    return fail(read.error());
  if (auto read = read_body(config, &plan); !read) return fail(read.error());
  const std::string_view username = find_value(config, "username");
  if (!username.empty() && !has_header(plan.request.headers, "Authorization")) {
    const std::string pair =
        std::string(username) + ":" + std::string(find_value(config, "password"));
    plan.request.headers.emplace_back("Authorization", "Basic " + encode_base64(pair));
  }
  if (!has_header(plan.request.headers, "User-Agent")) {
    plan.request.headers.emplace_back("User-Agent", "Go-http-client/1.1");
  }
  if (const auto code = find_value(config, "expectCode"); !code.empty()) plan.expect_code = code;
  if (const auto body = find_value(config, "expectBody"); !body.empty()) plan.expect_body = body;
  return plan;
}

std::string check_answer(const HttpPlan& plan, int status, const std::string& body) {
  if (plan.expect_code && !code_matches(*plan.expect_code, status)) {
    return "received response code does not match the expected code";
  }
  if (!plan.expect_body) return "";
  const bool matches = body_matches(*plan.expect_body, body) ||
                       body_matches(expression_without_slashes(*plan.expect_body), body);
  return matches ? "" : "received response body did not match the expected body";
}

std::string dump_config(const Config& config) {
  std::string text = "map[string]string{";
  for (const auto& [key, value] : config) {
    if (text.back() != '{') text += ", ";
    text += go::quote(key) + ":" + go::quote(redacted(key, value));
  }
  return text + "}";
}

}  // namespace dkron::executor
