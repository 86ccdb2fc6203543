// HTTP messages as the rest of the program sees them: plain values, no library type.
//
// Requests come from hostile bytes; the server (net/http_server.h) has already enforced the limits
// named there, so handlers see complete, bounded requests.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dkron::net {

enum class Method { Get, Head, Post, Put, Patch, Delete, Options, Other };

std::string_view to_string(Method method);

// Header names compare without regard to case; order is kept.
using Headers = std::vector<std::pair<std::string, std::string>>;
bool is_same_header(std::string_view a, std::string_view b);
// The first value of that name, or an empty view.
std::string_view find_header(const Headers& headers, std::string_view name);

// One query parameter, percent-decoded ('+' is a blank). Parameters with a malformed escape are
// left out, as the reference does. `has_value` tells `?pretty` from `?pretty=`.
struct QueryParameter {
  std::string name;
  std::string value;
  bool has_value = false;
};

struct Request {
  Method method = Method::Get;
  std::string method_text;  // As sent, for `Other`.
  std::string target;       // As sent: "/v1/jobs/a%20b?pretty".
  std::string path;         // Raw path, not decoded: "/v1/jobs/a%20b".
  std::vector<QueryParameter> query;
  Headers headers;
  std::string body;
  std::string remote;  // "127.0.0.1:51234"

  const QueryParameter* find_query(std::string_view name) const;  // The first one, or null.
};

// A body that is shared, so that cached bytes are not copied per response.
using SharedBody = std::shared_ptr<const std::string>;

struct Response {
  int status = 200;
  Headers headers;   // Content-Length, Connection and Date are the server's.
  std::string body;  // Sent when shared_body is null.
  SharedBody shared_body;
};

// The parameters of a raw query ("a=1&b") by the rules of QueryParameter, in their order.
std::vector<QueryParameter> parse_query(std::string_view raw);

// Percent-decodes one path segment. False when an escape is malformed.
bool decode_segment(std::string_view raw, std::string* decoded);
std::string encode_segment(std::string_view text);

// Answers one request, exactly once, from any thread. Dropping every copy without answering sends
// 500, so that no client waits for ever.
class Responder {
 public:
  struct Sink {
    virtual ~Sink() = default;
    virtual void send(Response response) = 0;  // Thread-safe; called at most once.
  };
  explicit Responder(std::shared_ptr<Sink> sink) : sink_(std::move(sink)) {}
  void operator()(Response response) const { sink_->send(std::move(response)); }

 private:
  std::shared_ptr<Sink> sink_;
};

// Runs on the main loop's thread and must not block it.
using Handler = std::function<void(Request, Responder)>;

}  // namespace dkron::net
