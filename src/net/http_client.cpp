#include "net/http_client.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstring>
#include <memory>

#include "base/clock.h"
#include "base/go_text.h"
#include "net/http_url.h"

namespace dkron::net {
namespace {

// Of an answer; newer curls stop at 300 KB.
constexpr std::size_t kHeaderLimit = std::size_t{256} * 1024;
constexpr long kConnectTimeoutMs = 30'000;  // When the caller sets no limit.

using Easy = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;
using List = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

// Once for the process; the language makes the first caller's threads wait.
bool initialise_curl() {
  static const bool is_ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return is_ready;
}

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    const bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return is_word ||
           (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
  });
}

bool is_header_value(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 ? c != 0x7f : c == '\t';
  });
}

// Keeps the first or the last `limit` bytes of what is written to it, in no more memory than that.
class CappedBody {
 public:
  CappedBody(std::size_t limit, bool keep_tail) : limit_(limit), keep_tail_(keep_tail) {}

  // False when nothing that still comes can be of use.
  bool append(std::string_view bytes) {
    const std::size_t room = limit_ - bytes_.size();
    const std::size_t fitting = std::min(room, bytes.size());
    bytes_.append(bytes.substr(0, fitting));
    bytes.remove_prefix(fitting);
    if (bytes.empty()) return true;
    is_truncated_ = true;
    if (keep_tail_) overwrite(bytes);
    return keep_tail_;
  }
  bool is_truncated() const { return is_truncated_; }
  void clear() {
    bytes_.clear();
    oldest_ = 0;
    is_truncated_ = false;
  }
  std::string take() {
    std::rotate(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(oldest_),
                bytes_.end());
    oldest_ = 0;
    return std::move(bytes_);
  }

 private:
  // The buffer is full: the oldest bytes make place.
  void overwrite(std::string_view bytes) {
    if (bytes.size() > limit_) bytes.remove_prefix(bytes.size() - limit_);
    while (!bytes.empty()) {
      const std::size_t size = std::min(bytes.size(), limit_ - oldest_);
      std::memcpy(bytes_.data() + oldest_, bytes.data(), size);
      oldest_ = (oldest_ + size) % limit_;
      bytes.remove_prefix(size);
    }
  }

  std::size_t limit_;
  bool keep_tail_;
  bool is_truncated_ = false;
  std::string bytes_;
  std::size_t oldest_ = 0;
};

// The request of one hop: redirects change it.
struct Hop {
  std::string method;
  std::string url;
  Headers headers;
  bool has_body = false;
};

class Exchange {
 public:
  explicit Exchange(const FetchOptions& options)
      : options_(options), body_(options.body_limit_bytes, options.keep_tail) {}

  Result<FetchResult> run();

 private:
  Result<void> check(const Hop& hop) const;
  Result<void> perform(const Hop& hop);
  void set_up(const Hop& hop);
  void set_request(const Hop& hop);
  List make_header_list(const Hop& hop);
  std::string next_url();
  void redirect(Hop* hop, std::string url) const;
  bool is_canceled() const { return options_.canceled != nullptr && options_.canceled->load(); }
  void finish_headers();

  tl::unexpected<Error> failed(const Hop& hop, ErrorCode code, std::string_view text) const;
  tl::unexpected<Error> transport_error(const Hop& hop, CURLcode code);
  std::string socket_error(std::string_view call, int error) const;
  std::string tls_error(CURLcode code);
  std::string connection_ends();

  static std::size_t on_header(char* data, std::size_t size, std::size_t count,
                               void* self) noexcept;
  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self) noexcept;
  static int on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) noexcept;
  static curl_socket_t open_socket(void* self, curlsocktype, curl_sockaddr* address) noexcept;

  const FetchOptions& options_;
  Easy easy_{nullptr, &curl_easy_cleanup};
  List list_{nullptr, &curl_slist_free_all};
  char error_text_[CURL_ERROR_SIZE] = "";
  Duration deadline_ = Duration::max();
  FetchResult result_;
  CappedBody body_;
  bool asks_for_gzip_ = false;
  std::size_t header_bytes_ = 0;
  bool has_enough_ = false;      // The rest of the body was not wanted.
  bool has_final_head_ = false;  // The headers of the answer are complete.
  std::string first_peer_;       // "127.0.0.1:80", the first address that was tried.
};

Result<FetchResult> Exchange::run() {
  easy_.reset(curl_easy_init());
  if (!easy_) return fail(ErrorCode::Internal, "curl: out of memory");
  if (options_.timeout > Duration(0)) {
    const Duration now = system_clock().steady();
    if (options_.timeout < Duration::max() - now) deadline_ = now + options_.timeout;
  }
  Hop hop{options_.method.empty() ? "GET" : options_.method, options_.url, options_.headers,
          !options_.body.empty()};
  if (!is_token(hop.method)) {
    return fail(ErrorCode::InvalidArgument, "net/http: invalid method " + go::quote(hop.method));
  }
  if (auto valid = check_url_syntax(hop.url); !valid) return fail(std::move(valid.error()));
  for (int redirects = 0;; ++redirects) {
    if (auto valid = check(hop); !valid) return fail(std::move(valid.error()));
    if (auto done = perform(hop); !done) return fail(std::move(done.error()));
    std::string url = options_.redirect_limit > 0 ? next_url() : "";
    if (url.empty()) break;
    if (redirects >= options_.redirect_limit) {
      return failed(hop, ErrorCode::Io,
                    fmt::format("stopped after {} redirects", options_.redirect_limit));
    }
    redirect(&hop, std::move(url));
  }
  result_.body_truncated = body_.is_truncated();
  result_.body = body_.take();
  finish_headers();
  return std::move(result_);
}

Result<void> Exchange::check(const Hop& hop) const {
  if (auto valid = check_url_target(hop.url); !valid) {
    return failed(hop, valid.error().code, valid.error().message);
  }
  for (const auto& [name, value] : hop.headers) {
    if (!is_token(name)) {
      return failed(hop, ErrorCode::InvalidArgument,
                    "net/http: invalid header field name " + go::quote(name));
    }
    if (!is_header_value(value)) {
      return failed(hop, ErrorCode::InvalidArgument,
                    "net/http: invalid header field value for " + go::quote(name));
    }
  }
  return {};
}

Result<void> Exchange::perform(const Hop& hop) {
  result_ = FetchResult();
  body_.clear();
  header_bytes_ = 0;
  has_enough_ = has_final_head_ = false;
  first_peer_.clear();
  error_text_[0] = '\0';
  if (is_canceled()) return failed(hop, ErrorCode::Canceled, "context canceled");
  set_up(hop);
  const CURLcode code = curl_easy_perform(easy_.get());
  if (code != CURLE_OK && !(code == CURLE_WRITE_ERROR && has_enough_)) {
    return transport_error(hop, code);
  }
  long status = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
  result_.status = static_cast<int>(status);
  return {};
}

void Exchange::set_up(const Hop& hop) {
  CURL* curl = easy_.get();
  curl_easy_reset(curl);  // Keeps the connection.
  curl_easy_setopt(curl, CURLOPT_URL, with_escaped_blanks(hop.url).c_str());
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);  // No waiting for a resolver that hangs.
  curl_easy_setopt(curl, CURLOPT_PROXY, "");
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(curl, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error_text_);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &Exchange::on_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &Exchange::on_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, &Exchange::on_progress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, this);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, &Exchange::open_socket);
  curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, this);
  if (deadline_ == Duration::max()) {
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, kConnectTimeoutMs);
  } else {
    const Duration left = deadline_ - system_clock().steady();
    const std::int64_t left_ms = std::chrono::duration_cast<milliseconds>(left).count();
    const auto limit = static_cast<long>(std::clamp<std::int64_t>(left_ms, 1, INT_MAX));
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, limit);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, limit);
  }
  if (!options_.ca_file.empty()) {
    curl_easy_setopt(curl, CURLOPT_CAINFO, options_.ca_file.c_str());
    curl_easy_setopt(curl, CURLOPT_CAPATH, nullptr);  // The system's would be trusted beside it.
  }
  set_request(hop);
}

void Exchange::set_request(const Hop& hop) {
  CURL* curl = easy_.get();
  const bool is_head = hop.method == "HEAD";
  // Go announces an empty body for the methods that normally have one.
  const bool expects_body = hop.method == "POST" || hop.method == "PUT" || hop.method == "PATCH";
  if (is_head) {
    curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
  } else if (hop.has_body || expects_body) {
    const curl_off_t size = hop.has_body ? static_cast<curl_off_t>(options_.body.size()) : 0;
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, size);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, options_.body.data());
  }
  if (!is_head) curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, hop.method.c_str());
  asks_for_gzip_ = find_header(hop.headers, "Accept-Encoding").empty() &&
                   find_header(hop.headers, "Range").empty() && !is_head;
  if (asks_for_gzip_) curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "gzip");
  list_ = make_header_list(hop);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list_.get());
}

// curl's own additions are switched off: the request holds what the caller says.
List Exchange::make_header_list(const Hop& hop) {
  curl_slist* list = nullptr;
  const auto add = [&list](const std::string& line) {
    list = curl_slist_append(list, line.c_str());
  };
  for (const char* name : {"Accept", "Content-Type", "Expect"}) {
    const bool is_given =
        std::any_of(hop.headers.begin(), hop.headers.end(),
                    [name](const auto& h) { return is_same_header(h.first, name); });
    if (!is_given) add(std::string(name) + ":");
  }
  for (const auto& [name, value] : hop.headers) {
    add(value.empty() ? name + ";" : name + ": " + value);
  }
  return List(list, &curl_slist_free_all);
}

// Where the answer sends us; empty when it is the end.
std::string Exchange::next_url() {
  const std::array<int, 5> codes = {301, 302, 303, 307, 308};
  if (std::find(codes.begin(), codes.end(), result_.status) == codes.end()) return "";
  char* url = nullptr;
  curl_easy_getinfo(easy_.get(), CURLINFO_REDIRECT_URL, &url);
  return url == nullptr ? "" : url;
}

// 301 to 303 turn into GET without body, 307 and 308 repeat the request; another host gets no
// secrets.
void Exchange::redirect(Hop* hop, std::string url) const {
  const bool repeats = result_.status == 307 || result_.status == 308;
  if (!repeats) {
    if (hop->method != "HEAD") hop->method = "GET";
    hop->has_body = false;
  }
  const std::string from = url_host(hop->url);
  const std::string to = url_host(url);
  const bool is_same_domain = to == from || to.ends_with("." + from);
  std::erase_if(hop->headers, [&](const auto& header) {
    for (const char* name : {"Authorization", "Cookie", "Cookie2", "Www-Authenticate"}) {
      if (!is_same_domain && is_same_header(header.first, name)) return true;
    }
    if (!is_same_domain && is_same_header(header.first, "Host")) return true;
    return !repeats && is_same_header(header.first, "Content-Type");
  });
  hop->url = std::move(url);
}

// What was unpacked on the way is not packed any more.
void Exchange::finish_headers() {
  if (!asks_for_gzip_ ||
      !is_same_header(find_header(result_.headers, "Content-Encoding"), "gzip")) {
    return;
  }
  std::erase_if(result_.headers, [](const auto& header) {
    return is_same_header(header.first, "Content-Encoding") ||
           is_same_header(header.first, "Content-Length");
  });
}

std::size_t Exchange::on_header(char* data, std::size_t size, std::size_t count,
                                void* self) noexcept {
  auto& exchange = *static_cast<Exchange*>(self);
  const std::string_view line(data, size * count);
  exchange.header_bytes_ += line.size();
  if (exchange.header_bytes_ > kHeaderLimit) return 0;  // Ends the transfer.
  if (line.starts_with("HTTP/")) {  // A new head: the one before was "100 Continue" or the like.
    exchange.result_.headers.clear();
    exchange.has_final_head_ = false;
    return line.size();
  }
  std::string_view text = line;
  while (!text.empty() && (text.back() == '\r' || text.back() == '\n' || text.back() == ' ')) {
    text.remove_suffix(1);
  }
  const std::size_t colon = text.find(':');
  if (text.empty()) exchange.has_final_head_ = true;
  if (colon != text.npos) {
    const std::string_view value = text.substr(colon + 1);
    const std::size_t begin = std::min(value.size(), value.find_first_not_of(" \t"));
    exchange.result_.headers.emplace_back(text.substr(0, colon), value.substr(begin));
  }
  return line.size();
}

std::size_t Exchange::on_body(char* data, std::size_t size, std::size_t count,
                              void* self) noexcept {
  auto& exchange = *static_cast<Exchange*>(self);
  const std::size_t bytes = size * count;
  if (exchange.body_.append({data, bytes})) return bytes;
  exchange.has_enough_ = true;
  return bytes == 0 ? 1 : 0;  // Anything but `bytes` ends the transfer.
}

int Exchange::on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) noexcept {
  return static_cast<Exchange*>(self)->is_canceled() ? 1 : 0;
}

std::string show_peer(const sockaddr* address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(address);
    ::inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text));
    return fmt::format("{}:{}", text, ntohs(v4->sin_port));
  }
  if (address->sa_family != AF_INET6) return "";
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(address);
  ::inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
  return fmt::format("[{}]:{}", text, ntohs(v6->sin6_port));
}

curl_socket_t Exchange::open_socket(void* self, curlsocktype, curl_sockaddr* address) noexcept {
  auto& exchange = *static_cast<Exchange*>(self);
  if (exchange.first_peer_.empty()) exchange.first_peer_ = show_peer(&address->addr);
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

// `Get "http://host/": text`, with the method in Go's spelling.
tl::unexpected<Error> Exchange::failed(const Hop& hop, ErrorCode code,
                                       std::string_view text) const {
  std::string operation = hop.method;
  for (std::size_t i = 1; i < operation.size(); ++i) {
    if (operation[i] >= 'A' && operation[i] <= 'Z')
      operation[i] = static_cast<char>(operation[i] + 32);
  }
  return fail(code,
              fmt::format("{} {}: {}", operation, go::quote(without_password(hop.url)), text));
}

std::string Exchange::socket_error(std::string_view call, int error) const {
  std::string text = std::strerror(error);
  if (text[0] >= 'A' && text[0] <= 'Z') text[0] = static_cast<char>(text[0] + 32);
  return fmt::format("dial tcp {}: {}: {}", first_peer_, call, text);
}

// "127.0.0.1:40000->127.0.0.1:80"
std::string Exchange::connection_ends() {
  const auto text = [this](CURLINFO ip, CURLINFO port) {
    char* address = nullptr;
    long number = 0;
    curl_easy_getinfo(easy_.get(), ip, &address);
    curl_easy_getinfo(easy_.get(), port, &number);
    const std::string shown = address == nullptr ? "" : address;
    const bool is_ipv6 = shown.find(':') != std::string::npos;
    return (is_ipv6 ? "[" + shown + "]" : shown) + ":" + std::to_string(number);
  };
  return text(CURLINFO_LOCAL_IP, CURLINFO_LOCAL_PORT) + "->" +
         text(CURLINFO_PRIMARY_IP, CURLINFO_PRIMARY_PORT);
}

std::string Exchange::tls_error(CURLcode code) {
  const std::string_view details = error_text_;
  if (details.find("wrong version number") != details.npos) {
    return "http: server gave HTTP response to HTTPS client";
  }
  if (code != CURLE_PEER_FAILED_VERIFICATION) return "tls: " + std::string(details);
  const std::string prefix = "tls: failed to verify certificate: x509: ";
  const auto says = [details](std::string_view word) { return details.find(word) != details.npos; };
  if (says("self-signed") || says("self signed") || says("unable to get")) {
    return prefix + "certificate signed by unknown authority";
  }
  if (says("expired") || says("not yet valid")) {
    return prefix + "certificate has expired or is not yet valid";
  }
  return prefix + std::string(details);
}

tl::unexpected<Error> Exchange::transport_error(const Hop& hop, CURLcode code) {
  long system_error = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_OS_ERRNO, &system_error);
  const int error = static_cast<int>(system_error);
  switch (code) {
    case CURLE_ABORTED_BY_CALLBACK: return failed(hop, ErrorCode::Canceled, "context canceled");
    case CURLE_OPERATION_TIMEDOUT:
      if (deadline_ == Duration::max()) {
        return failed(hop, ErrorCode::Timeout, "dial tcp " + first_peer_ + ": i/o timeout");
      }
      if (has_final_head_) {
        return fail(ErrorCode::Timeout,
                    "context deadline exceeded (Client.Timeout or context cancellation while "
                    "reading body)");
      }
      return failed(hop, ErrorCode::Timeout,
                    "context deadline exceeded (Client.Timeout exceeded while awaiting headers)");
    case CURLE_COULDNT_RESOLVE_HOST:
      return failed(hop, ErrorCode::Unavailable,
                    "dial tcp: lookup " + url_host(hop.url) + ": no such host");
    case CURLE_COULDNT_CONNECT:
      return failed(hop, ErrorCode::Unavailable,
                    error == 0 ? "dial tcp " + first_peer_ + ": " + error_text_
                               : socket_error("connect", error));
    case CURLE_WRITE_ERROR:
      return failed(hop, ErrorCode::TooLarge,
                    fmt::format("net/http: server response headers exceeded {} bytes; aborted",
                                kHeaderLimit));
    case CURLE_GOT_NOTHING: return failed(hop, ErrorCode::Unavailable, "EOF");
    case CURLE_PARTIAL_FILE: return fail(ErrorCode::Io, "unexpected EOF");
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
      if (error == ECONNRESET ||
          std::string_view(error_text_).find("reset") != std::string_view::npos) {
        return failed(hop, ErrorCode::Unavailable,
                      "read tcp " + connection_ends() + ": read: connection reset by peer");
      }
      return failed(hop, ErrorCode::Unavailable, error_text_);
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
      return failed(hop, ErrorCode::Io,
                    "net/http: HTTP/1.x transport connection broken: malformed HTTP response");
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CIPHER: return failed(hop, ErrorCode::Io, tls_error(code));
    default:
      return failed(hop, ErrorCode::Io,
                    error_text_[0] == '\0' ? curl_easy_strerror(code) : error_text_);
  }
}

}  // namespace

Result<FetchResult> http_fetch(const FetchOptions& options) {
  if (!initialise_curl()) return fail(ErrorCode::Internal, "curl cannot be initialised");
  return Exchange(options).run();
}

}  // namespace dkron::net
