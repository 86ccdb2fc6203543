// Router: which handler answers which path; the general rules of spec rest-api 1.2-1.5.
//
// Patterns are paths whose segments may be ":name" (one decoded segment). The router itself answers
// 404, 405 with `Allow`, `OPTIONS`, redirects for a final slash too many or too few, and malformed
// escapes; it sets X-Whom and the CORS headers. Built once, then only read; main loop's thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "api/exchange.h"

namespace dkron::api {

using RouteHandler = std::function<void(ExchangePtr)>;

struct RouteOptions {
  bool has_cors = true;
  bool has_whom = true;
  std::size_t body_limit_bytes = std::size_t{1024} * 1024;
};

class Router {
 public:
  // `catch_up` answers once this server holds all that was acknowledged before; reads with
  // ?consistent=true wait for it. Null: reads are local.
  using CatchUp = std::function<void(std::function<void(Result<void>)>)>;
  explicit Router(std::string node_name, CatchUp catch_up = nullptr)
      : node_name_(std::move(node_name)), catch_up_(std::move(catch_up)) {}

  void add(net::Method method, const std::string& pattern, RouteHandler handler,
           RouteOptions options = {});
  // Everything below `prefix` ("/ui/"); the rest of the path is parameter 0, not decoded.
  void add_tree(std::string prefix, RouteHandler handler, RouteOptions options = {});

  void handle(net::Request request, net::Responder responder) const;
  std::size_t body_limit(net::Method method, std::string_view path) const;

 private:
  struct Route {
    net::Method method;
    std::vector<std::string> segments;
    bool is_tree = false;
    RouteHandler handler;
    RouteOptions options;
  };
  struct Match {
    const Route* route = nullptr;            // Path and method.
    std::vector<net::Method> other_methods;  // Of the same path.
    std::vector<std::string> parameters;
  };

  Match match(net::Method method, std::string_view path) const;
  static bool match_segments(const Route& route, const std::vector<std::string_view>& segments,
                             std::vector<std::string>* parameters);
  net::Headers common_headers(const net::Request& request, const RouteOptions& options) const;
  void answer_unmatched(net::Request request, const net::Responder& responder,
                        const Match& match) const;

  std::string node_name_;
  CatchUp catch_up_;
  std::vector<Route> routes_;
};

}  // namespace dkron::api
