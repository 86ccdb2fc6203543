#include "net/http_parser.h"

#if defined(__GNUC__) && !defined(__clang__)
// g++ 12 with sanitizers takes an empty boost::optional inside Beast for an uninitialised one.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <charconv>
#include <cstdint>
#include <optional>

#include "base/assert.h"

namespace dkron::net {
namespace {

namespace http = boost::beast::http;

struct Failure {
  int status = 0;
  std::string reason;
};

std::string_view view(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

Method to_method(http::verb verb) {
  switch (verb) {
    case http::verb::get: return Method::Get;
    case http::verb::head: return Method::Head;
    case http::verb::post: return Method::Post;
    case http::verb::put: return Method::Put;
    case http::verb::patch: return Method::Patch;
    case http::verb::delete_: return Method::Delete;
    case http::verb::options: return Method::Options;
    default: return Method::Other;
  }
}

// "http://host/path?query" is what a client of a proxy sends; the path begins behind the host.
bool split_target(Request* request) {
  std::string_view target = request->target;
  if (const std::size_t scheme = target.find("://"); scheme != target.npos && target[0] != '/') {
    const std::size_t slash = target.find_first_of("/?", scheme + 3);
    target = slash == target.npos ? std::string_view() : target.substr(slash);
    if (target.empty() || target[0] == '?') {
      request->path = "/";
      if (!target.empty()) request->query = parse_query(target.substr(1));
      return true;
    }
  }
  const bool is_special = target == "*" || request->method == Method::Other;
  if (!is_special && !target.starts_with('/')) return false;
  const std::size_t question = target.find('?');
  request->path = target.substr(0, question);
  if (question != target.npos) request->query = parse_query(target.substr(question + 1));
  return true;
}

// The request line and the headers, straight into a Request.
class HeadParser final : public http::basic_parser<true> {
 public:
  HeadParser(Request* request, std::size_t limit) : request_(request) {
    skip(true);  // The body is not Beast's.
    eager(true);
    header_limit(static_cast<std::uint32_t>(limit));
  }
  bool is_http_1_1() const { return is_http_1_1_; }

 private:
  using View = boost::beast::string_view;
  using Code = boost::beast::error_code;
  using OptionalSize = boost::optional<std::uint64_t>;

  void on_request_impl(http::verb verb, View method, View target, int version, Code&) override {
    request_->method = to_method(verb);
    request_->method_text = view(method);
    request_->target = view(target);
    request_->headers.reserve(8);
    is_http_1_1_ = version == 11;
  }
  void on_field_impl(http::field, View name, View value, Code&) override {
    request_->headers.emplace_back(view(name), view(value));
  }
  void on_response_impl(int, View, int, Code&) override {}
  void on_header_impl(Code&) override {}
  void on_body_init_impl(const OptionalSize&, Code&) override {}
  std::size_t on_body_impl(View body, Code&) override { return body.size(); }
  void on_chunk_header_impl(std::uint64_t, View, Code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, View body, Code&) override { return body.size(); }
  void on_finish_impl(Code&) override {}

  Request* request_;
  bool is_http_1_1_ = false;
};

Failure to_failure(const boost::beast::error_code& error) {
  using E = http::error;
  if (error == E::header_limit) return {431, "request headers are too large"};
  if (error == E::bad_method) return {400, "malformed method"};
  if (error == E::bad_target) return {400, "malformed request target"};
  if (error == E::bad_version) return {400, "malformed or unsupported HTTP version"};
  if (error == E::bad_field) return {400, "malformed header name"};
  if (error == E::bad_value || error == E::bad_obs_fold) return {400, "malformed header value"};
  if (error == E::bad_line_ending) return {400, "malformed line ending"};
  if (error == E::bad_content_length || error == E::multiple_content_length) {
    return {400, "malformed Content-Length"};
  }
  if (error == E::bad_transfer_encoding) return {400, "malformed Transfer-Encoding"};
  return {400, "malformed request"};
}

std::size_t count_headers(const Headers& headers, std::string_view name) {
  return static_cast<std::size_t>(
      std::count_if(headers.begin(), headers.end(),
                    [name](const auto& h) { return is_same_header(h.first, name); }));
}

constexpr std::size_t kBodyReserveLimit = std::size_t{1024} * 1024;

}  // namespace

struct RequestParser::Impl {
  enum class Stage { Head, Length, ChunkSize, ChunkData, ChunkEnd, Trailer, Complete, Failed };

  explicit Impl(const ParserLimits& l) : limits(l) { reset(); }

  const ParserLimits& limits;
  Request request;
  std::optional<HeadParser> head;
  Stage stage = Stage::Head;
  bool has_begun = false;
  bool awaits_continue = false;
  bool is_head_method = false;
  bool is_http_1_0 = false;
  bool keep_alive = false;
  std::size_t head_bytes = 0;  // Consumed so far, trailers included.
  std::size_t body_limit = 0;
  std::uint64_t remaining = 0;  // Of the body or of the chunk.
  Failure failure;

  void reset() {
    request = Request();
    head.emplace(&request, limits.header_bytes);
    stage = Stage::Head;
    has_begun = awaits_continue = is_head_method = is_http_1_0 = keep_alive = false;
    head_bytes = 0;
  }

  void fail(int status, std::string reason) {
    failure = {status, std::move(reason)};
    stage = Stage::Failed;
  }

  // Each of these reads on from `*at`; false = more bytes are needed.
  bool read_head(std::string_view bytes, std::size_t* at);
  bool read_length(std::string_view bytes, std::size_t* at);
  bool read_chunk_size(std::string_view bytes, std::size_t* at);
  bool read_chunk_data(std::string_view bytes, std::size_t* at);
  bool read_chunk_end(std::string_view bytes, std::size_t* at);
  bool read_trailer(std::string_view bytes, std::size_t* at);

  bool read_line(std::string_view bytes, std::size_t* at, std::string_view* line);
  std::size_t append_body(std::string_view bytes);
  void begin_body();
  bool check_headers();

  bool read_stage(std::string_view bytes, std::size_t* at) {
    switch (stage) {
      case Stage::Head: return read_head(bytes, at);
      case Stage::Length: return read_length(bytes, at);
      case Stage::ChunkSize: return read_chunk_size(bytes, at);
      case Stage::ChunkData: return read_chunk_data(bytes, at);
      case Stage::ChunkEnd: return read_chunk_end(bytes, at);
      case Stage::Trailer: return read_trailer(bytes, at);
      case Stage::Complete:
      case Stage::Failed: break;
    }
    return false;
  }
};

bool RequestParser::Impl::read_head(std::string_view bytes, std::size_t* at) {
  if (!has_begun && bytes.substr(*at).starts_with("\r\n")) *at += 2;  // RFC 9112, 2.2
  const std::string_view rest = bytes.substr(*at);
  if (rest.empty()) return false;
  has_begun = true;
  boost::beast::error_code error;
  const std::size_t used = head->put({rest.data(), rest.size()}, error);
  *at += used;
  head_bytes += used;
  is_head_method = request.method == Method::Head && !request.method_text.empty();
  const bool is_done = head->is_header_done();
  // Beast's limit starts anew with each packet; the sum is ours.
  if (head_bytes + (is_done ? 0 : rest.size() - used) > limits.header_bytes) {
    fail(431, "request headers are too large");
    return true;
  }
  if (error == http::error::need_more) return false;
  if (error) {
    const Failure what = to_failure(error);
    fail(what.status, what.reason);
    return true;
  }
  if (is_done) begin_body();
  return is_done;
}

// What RFC 9112 wants refused, beyond what Beast refuses (both lengths, doubtful numbers).
bool RequestParser::Impl::check_headers() {
  const std::size_t hosts = count_headers(request.headers, "Host");
  const std::size_t encodings = count_headers(request.headers, "Transfer-Encoding");
  if (hosts > 1) {
    fail(400, "too many Host headers");
  } else if (hosts == 0 && !is_http_1_0) {
    fail(400, "missing required Host header");
  } else if (encodings > 0 && is_http_1_0) {
    fail(400, "Transfer-Encoding in an HTTP/1.0 request");
  } else if (encodings > 0 &&
             !is_same_header(find_header(request.headers, "Transfer-Encoding"), "chunked")) {
    fail(501, "unsupported transfer encoding");
  } else if (!split_target(&request)) {
    fail(400, "malformed request target");
  }
  return stage != Stage::Failed;
}

void RequestParser::Impl::begin_body() {
  is_http_1_0 = !head->is_http_1_1();
  keep_alive = head->keep_alive();
  if (!check_headers()) return;
  body_limit = limits.body_bytes;
  if (limits.body_limit) {
    body_limit = std::min(body_limit, limits.body_limit(request.method, request.path));
  }
  const auto length = head->content_length();
  if (length && *length > body_limit) {
    fail(413, "request body is too large");
    return;
  }
  const std::string_view expect = find_header(request.headers, "Expect");
  if (!expect.empty() && !is_http_1_0) {
    if (!is_same_header(expect, "100-continue")) {
      fail(417, "unknown expectation");
      return;
    }
    awaits_continue = true;
  }
  remaining = length ? *length : 0;
  if (head->chunked()) {
    stage = Stage::ChunkSize;
  } else if (remaining == 0) {
    stage = Stage::Complete;
  } else {
    request.body.reserve(std::min<std::size_t>(remaining, kBodyReserveLimit));
    stage = Stage::Length;
  }
}

std::size_t RequestParser::Impl::append_body(std::string_view bytes) {
  const std::size_t size = std::min<std::uint64_t>(bytes.size(), remaining);
  request.body.append(bytes.substr(0, size));
  remaining -= size;
  return size;
}

bool RequestParser::Impl::read_length(std::string_view bytes, std::size_t* at) {
  *at += append_body(bytes.substr(*at));
  if (remaining > 0) return false;
  stage = Stage::Complete;
  return true;
}

// A line without its CRLF. False when it is not there yet; a failure also ends the line.
bool RequestParser::Impl::read_line(std::string_view bytes, std::size_t* at,
                                    std::string_view* line) {
  const std::string_view rest = bytes.substr(*at, kChunkLineLimit);
  const std::size_t end = rest.find('\n');
  if (end == rest.npos) {
    if (rest.size() < kChunkLineLimit) return false;
    fail(400, "chunk line is too long");
    return true;
  }
  *line = rest.substr(0, end == 0 ? 0 : end - 1);
  if (end == 0 || rest[end - 1] != '\r' || line->find('\r') != line->npos) {
    fail(400, "malformed line ending");
    return true;
  }
  *at += end + 1;
  return true;
}

bool RequestParser::Impl::read_chunk_size(std::string_view bytes, std::size_t* at) {
  std::string_view line;
  if (!read_line(bytes, at, &line)) return false;
  if (stage == Stage::Failed) return true;
  std::uint64_t size = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), size, 16);
  std::string_view extension = line.substr(static_cast<std::size_t>(end - line.data()));
  extension.remove_prefix(std::min(extension.size(), extension.find_first_not_of(" \t")));
  if (error != std::errc() || (!extension.empty() && extension[0] != ';')) {
    fail(400, "malformed chunk");
    return true;
  }
  if (size > body_limit - request.body.size()) {
    fail(413, "request body is too large");
    return true;
  }
  remaining = size;
  stage = size == 0 ? Stage::Trailer : Stage::ChunkData;
  return true;
}

bool RequestParser::Impl::read_chunk_data(std::string_view bytes, std::size_t* at) {
  *at += append_body(bytes.substr(*at));
  if (remaining > 0) return false;
  stage = Stage::ChunkEnd;
  return true;
}

bool RequestParser::Impl::read_chunk_end(std::string_view bytes, std::size_t* at) {
  const std::string_view rest = bytes.substr(*at, 2);
  if (rest != std::string_view("\r\n").substr(0, rest.size())) {
    fail(400, "malformed chunk");
    return true;
  }
  if (rest.size() < 2) return false;
  *at += 2;
  stage = Stage::ChunkSize;
  return true;
}

// Trailers are read and dropped: no handler expects headers that come after the body.
bool RequestParser::Impl::read_trailer(std::string_view bytes, std::size_t* at) {
  std::string_view line;
  if (!read_line(bytes, at, &line)) return false;
  if (stage == Stage::Failed) return true;
  head_bytes += line.size() + 2;
  if (head_bytes > limits.header_bytes + 2) {
    fail(431, "request trailers are too large");
  } else if (line.empty()) {
    stage = Stage::Complete;
  } else if (line.find(':') == line.npos) {
    fail(400, "malformed trailer");
  }
  return true;
}

RequestParser::RequestParser(const ParserLimits& limits) : impl_(std::make_unique<Impl>(limits)) {}
RequestParser::~RequestParser() = default;

RequestParser::Step RequestParser::parse(std::string_view bytes, std::size_t* consumed) {
  Impl& p = *impl_;
  std::size_t at = 0;
  while (p.read_stage(bytes, &at)) {
  }
  if (p.stage != Impl::Stage::Head && at < bytes.size()) p.awaits_continue = false;
  *consumed = at;
  if (p.stage == Impl::Stage::Failed) return Step::Failed;
  if (p.stage != Impl::Stage::Complete) return Step::NeedMore;
  p.awaits_continue = false;
  return Step::Complete;
}

bool RequestParser::has_begun() const {
  return impl_->has_begun;
}
bool RequestParser::awaits_continue() const {
  return impl_->awaits_continue && impl_->request.body.empty();
}
bool RequestParser::is_head_method() const {
  return impl_->is_head_method;
}
bool RequestParser::is_http_1_0() const {
  return impl_->is_http_1_0;
}
bool RequestParser::keep_alive() const {
  return impl_->keep_alive;
}

Request RequestParser::take() {
  DK_ASSERT(impl_->stage == Impl::Stage::Complete);
  Request request = std::move(impl_->request);
  impl_->reset();
  return request;
}

int RequestParser::failure_status() const {
  return impl_->failure.status;
}
const std::string& RequestParser::failure_reason() const {
  return impl_->failure.reason;
}

}  // namespace dkron::net
