#include "net/http_response.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>

namespace dkron::net {
namespace {

bool is_token(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    const bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return is_word ||
           (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
  });
}

bool is_servers_own(std::string_view name) {
  static constexpr std::array<std::string_view, 4> kOwn = {"Content-Length", "Connection", "Date",
                                                           "Transfer-Encoding"};
  return std::any_of(kOwn.begin(), kOwn.end(),
                     [name](std::string_view own) { return is_same_header(name, own); });
}

void append_value(std::string* out, std::string_view value) {
  static constexpr std::string_view kForbidden("\r\n\0", 3);
  if (value.find_first_of(kForbidden) == value.npos) {
    out->append(value);
    return;
  }
  for (const char c : value) {
    if (kForbidden.find(c) == kForbidden.npos) out->push_back(c);
  }
}

}  // namespace

std::string_view HttpDate::at(std::int64_t unix_seconds) {
  if (unix_seconds == rendered_for_) return text_;
  using namespace std::chrono;
  const sys_seconds time{seconds(unix_seconds)};
  const sys_days day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  text_ =
      fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[weekday(day).c_encoding()],
                  static_cast<unsigned>(date.day()),
                  kMonths[static_cast<unsigned>(date.month()) - 1], static_cast<int>(date.year()),
                  clock.hours().count(), clock.minutes().count(), clock.seconds().count());
  rendered_for_ = unix_seconds;
  return text_;
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Request Entity Too Large";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Entity";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    default: return "Status";
  }
}

bool may_have_body(int status) {
  return status != 204 && status != 304;
}

bool wants_close(const Response& response) {
  return is_same_header(find_header(response.headers, "Connection"), "close");
}

void append_head(std::string* out, const Response& response, const ResponseContext& context) {
  const std::size_t size =
      response.shared_body ? response.shared_body->size() : response.body.size();
  fmt::format_to(std::back_inserter(*out), "HTTP/1.{} {} {}\r\n", context.is_http_1_0 ? 0 : 1,
                 response.status, reason_phrase(response.status));
  for (const auto& [name, value] : response.headers) {
    if (!is_token(name) || is_servers_own(name)) continue;
    out->append(name).append(": ");
    append_value(out, value);
    out->append("\r\n");
  }
  out->append("Date: ").append(context.date).append("\r\n");
  if (may_have_body(response.status)) {
    fmt::format_to(std::back_inserter(*out), "Content-Length: {}\r\n", size);
  }
  if (!context.keep_alive) {
    out->append("Connection: close\r\n");
  } else if (context.is_http_1_0) {
    out->append("Connection: keep-alive\r\n");
  }
  out->append("\r\n");
}

}  // namespace dkron::net
