// Health, metrics and the redirect of "/" (spec rest-api 9).
#include "api/api.h"
#include "model/job_json.h"

namespace dkron::api {
namespace {

void append_issues(std::string* body, const std::vector<std::string>& issues) {
  *body += "\"issues\":[";
  for (std::size_t i = 0; i < issues.size(); ++i) {
    if (i > 0) *body += ',';
    model::append_json_string(body, issues[i]);
  }
  *body += ']';
}

bool wants_html(std::string_view accept) {
  return accept.empty() || accept.find("text/html") != accept.npos ||
         accept.find("text/*") != accept.npos || accept.find("*/*") != accept.npos;
}

std::string_view why_not_ready(const Health& health) {
  if (health.is_stopping) return "the server is shutting down";
  if (!health.why_not_ready.empty()) return health.why_not_ready;
  return health.leader.empty() ? "no leader" : "starting";
}

}  // namespace

void Api::add_health_routes() {
  RouteOptions bare;
  bare.has_cors = false;
  router_.add(
      net::Method::Get, "/health",
      [this](const ExchangePtr& exchange) {
        const Health health = services_.health();
        std::string body = "{";
        if (!health.issues.empty()) {
          append_issues(&body, health.issues);
          body += ',';
        }
        body += health.is_leader ? "\"leader\":true," : "\"leader\":false,";
        body += health.issues.empty() ? "\"status\":\"healthy\"}" : "\"status\":\"unhealthy\"}";
        exchange->json(health.issues.empty() ? 200 : 503, std::move(body));
      },
      bare);

  router_.add(
      net::Method::Get, "/health/live",
      [](const ExchangePtr& exchange) { exchange->json(200, "{\"status\":\"alive\"}"); }, bare);

  router_.add(
      net::Method::Get, "/health/ready",
      [this](const ExchangePtr& exchange) {
        const Health health = services_.health();
        std::string body = health.is_ready ? "{\"status\":\"ready\",\"leader\":"
                                           : "{\"status\":\"not ready\",\"leader\":";
        model::append_json_string(&body, health.leader);
        body += ",\"raft_state\":\"" + health.raft_state + "\"";
        if (!health.is_ready) {
          body += ',';
          append_issues(&body, {std::string(why_not_ready(health))});
        }
        exchange->json(health.is_ready ? 200 : 503, body + "}");
      },
      bare);

  router_.add(net::Method::Get, "/debug/vars",
              [this](const ExchangePtr& exchange) { exchange->json(200, services_.variables()); });

  if (services_.metrics) {
    router_.add(net::Method::Get, "/metrics", [this](const ExchangePtr& exchange) {
      services_.refresh_metrics();
      on_worker(exchange, [this](const ExchangePtr& e) {
        net::Response response;
        response.headers.emplace_back("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
        response.body = services_.metrics();
        e->send(std::move(response));
      });
    });
  }
  if (services_.ui_enabled) {
    router_.add(net::Method::Get, "/", [](const ExchangePtr& exchange) {
      if (!wants_html(net::find_header(exchange->request().headers, "Accept"))) {
        exchange->error(404, "there is nothing here but the web UI");
        return;
      }
      net::Response response;
      response.status = 303;
      response.headers.emplace_back("Location", "/ui/");
      exchange->send(std::move(response));
    });
  }
}

}  // namespace dkron::api
