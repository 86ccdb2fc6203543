#include "api/router.h"

#include <algorithm>

namespace dkron::api {
namespace {

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> segments;
  std::size_t from = 1;  // Behind the first slash.
  while (from <= path.size()) {
    std::size_t to = path.find('/', from);
    if (to == path.npos) to = path.size();
    segments.push_back(path.substr(from, to - from));
    from = to + 1;
  }
  return segments;
}

net::Response plain(int status, std::string body) {
  net::Response response;
  response.status = status;
  response.headers.emplace_back("Content-Type", "text/plain");
  response.body = std::move(body);
  return response;
}

std::string allowed(const std::vector<net::Method>& methods) {
  std::string list;
  for (const net::Method method : methods) {
    list += list.empty() ? "" : ", ";
    list += net::to_string(method);
    if (method == net::Method::Get) list += ", HEAD";
  }
  return list + ", OPTIONS";
}

// The path with its final slash taken away or added.
std::string other_form(const std::string& path) {
  return path.size() > 1 && path.back() == '/' ? path.substr(0, path.size() - 1) : path + "/";
}

net::Response redirect(const net::Request& request, const std::string& path) {
  const auto query = request.target.find('?');
  const std::string target =
      path + (query == std::string::npos ? "" : request.target.substr(query));
  net::Response response;
  const bool is_get = request.method == net::Method::Get || request.method == net::Method::Head;
  response.status = is_get ? 301 : 307;
  response.headers.emplace_back("Location", target);
  if (is_get) {
    response.headers.emplace_back("Content-Type", "text/html; charset=utf-8");
    std::string escaped;
    for (const char c : target) {
      if (c == '&') {
        escaped += "&amp;";
      } else if (c == '<') {
        escaped += "&lt;";
      } else if (c == '>') {
        escaped += "&gt;";
      } else if (c == '"') {
        escaped += "&#34;";
      } else {
        escaped += c;
      }
    }
    response.body = "<a href=\"" + escaped + "\">Moved Permanently</a>.\n\n";
  }
  return response;
}

}  // namespace

void Router::add(net::Method method, const std::string& pattern, RouteHandler handler,
                 RouteOptions options) {
  Route route{method, {}, false, std::move(handler), options};
  for (const std::string_view segment : split(pattern)) route.segments.emplace_back(segment);
  routes_.push_back(std::move(route));
}

void Router::add_tree(std::string prefix, RouteHandler handler, RouteOptions options) {
  Route route{net::Method::Get, {}, true, std::move(handler), options};
  route.segments.push_back(std::move(prefix));
  routes_.push_back(std::move(route));
}

bool Router::match_segments(const Route& route, const std::vector<std::string_view>& segments,
                            std::vector<std::string>* parameters) {
  if (route.segments.size() != segments.size()) return false;
  parameters->clear();
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const std::string& wanted = route.segments[i];
    if (!wanted.starts_with(':')) {
      if (wanted != segments[i]) return false;
      continue;
    }
    if (segments[i].empty()) return false;
    std::string decoded;
    if (!net::decode_segment(segments[i], &decoded)) return false;
    parameters->push_back(std::move(decoded));
  }
  return true;
}

Router::Match Router::match(net::Method method, std::string_view path) const {
  Match match;
  const auto segments = split(path);
  const net::Method wanted = method == net::Method::Head ? net::Method::Get : method;
  for (const Route& route : routes_) {
    std::vector<std::string> parameters;
    if (route.is_tree) {
      if (!path.starts_with(route.segments[0])) continue;
      parameters.emplace_back(path.substr(route.segments[0].size()));
    } else if (!match_segments(route, segments, &parameters)) {
      continue;
    }
    match.parameters = std::move(parameters);
    if (route.method == wanted) {
      match.route = &route;
      return match;
    }
    match.other_methods.push_back(route.method);
  }
  return match;
}

std::size_t Router::body_limit(net::Method method, std::string_view path) const {
  const Match found = match(method, path);
  return found.route == nullptr ? RouteOptions().body_limit_bytes
                                : found.route->options.body_limit_bytes;
}

net::Headers Router::common_headers(const net::Request& request,
                                    const RouteOptions& options) const {
  net::Headers headers;
  if (options.has_whom) headers.emplace_back("X-Whom", node_name_);
  const std::string_view origin = net::find_header(request.headers, "Origin");
  const std::string host(net::find_header(request.headers, "Host"));
  const bool other = !origin.empty() && origin != "http://" + host && origin != "https://" + host;
  if (options.has_cors && other) {
    headers.emplace_back("Access-Control-Allow-Origin", "*");
    headers.emplace_back("Access-Control-Expose-Headers", "*, X-Total-Count, X-Whom, Location");
  }
  return headers;
}

void Router::handle(net::Request request, net::Responder responder) const {
  std::string decoded;
  if (!net::decode_segment(request.path, &decoded)) {
    net::Response response;
    response.status = 400;
    response.headers = {{"Content-Type", "text/plain; charset=utf-8"}, {"Connection", "close"}};
    response.body = "400 Bad Request";
    responder(std::move(response));
    return;
  }
  Match found = match(request.method, request.path);
  if (found.route == nullptr) {
    answer_unmatched(std::move(request), responder, found);
    return;
  }
  net::Headers headers = common_headers(request, found.route->options);
  auto exchange =
      std::make_shared<Exchange>(std::move(request), std::move(responder), std::move(headers));
  exchange->set_parameters(std::move(found.parameters));
  const bool is_read = found.route->method == net::Method::Get;
  if (!is_read || !catch_up_ || !exchange->flag("consistent")) {
    found.route->handler(std::move(exchange));
    return;
  }
  catch_up_([exchange, route = found.route](const Result<void>& caught_up) {
    if (caught_up) {
      route->handler(exchange);
    } else {
      exchange->error(caught_up.error());
    }
  });
}

void Router::answer_unmatched(net::Request request, const net::Responder& responder,
                              const Match& match) const {
  if (match.other_methods.empty()) {
    const std::string other = other_form(request.path);
    const Match there = this->match(request.method, other);
    const bool single = request.path.size() > 1 && !request.path.starts_with("//");
    if (single && there.route != nullptr) {
      responder(redirect(request, other));
    } else {
      responder(plain(404, "404 page not found"));
    }
    return;
  }
  net::Headers headers = common_headers(request, RouteOptions());
  headers.emplace_back("Allow", allowed(match.other_methods));
  if (request.method == net::Method::Options) {
    net::Response response;
    response.status = 204;
    response.headers = {
        {"Allow", allowed(match.other_methods)},
        {"Access-Control-Allow-Origin", "*"},
        {"Access-Control-Allow-Methods", "*"},
        {"Access-Control-Allow-Headers", "*, Authorization, Content-Type, X-Dkron-Token"},
        {"Access-Control-Max-Age", "43200"}};
    responder(std::move(response));
    return;
  }
  const std::string message = "method " + request.method_text + " is not allowed here";
  Exchange exchange(std::move(request), responder, std::move(headers));
  exchange.error(405, message);
}

}  // namespace dkron::api
