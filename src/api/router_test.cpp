#include "api/router.h"

#include "api/test_support.h"

namespace dkron::api {
namespace {

using net::Method;
using testing_support::Answer;
using testing_support::header;
using testing_support::request_of;

class RouterTest : public testing::Test {
 protected:
  RouterTest() : router_("node1") {
    router_.add(Method::Get, "/v1/jobs", [](const ExchangePtr& e) { e->text(200, "list"); });
    router_.add(Method::Post, "/v1/jobs", [](const ExchangePtr& e) { e->text(201, "new"); },
                {true, true, 77});
    router_.add(Method::Get, "/v1/jobs/:job",
                [](const ExchangePtr& e) { e->text(200, "job " + e->parameter(0)); });
    router_.add(Method::Get, "/v1/jobs/:job/runs/:run", [](const ExchangePtr& e) {
      e->text(200, e->parameter(0) + "|" + e->parameter(1));
    });
    router_.add(Method::Get, "/health", [](const ExchangePtr& e) { e->text(200, "ok"); },
                {false, false, 1024});
    router_.add_tree("/ui/", [](const ExchangePtr& e) { e->text(200, "file " + e->parameter(0)); });
  }
  net::Response ask(Method method, const std::string& target, const net::Headers& more = {}) {
    Answer answer;
    net::Request request = request_of(method, target);
    for (const auto& one : more) request.headers.push_back(one);
    router_.handle(std::move(request), answer.responder());
    return answer.get();
  }
  Router router_;
};

TEST_F(RouterTest, finds_the_handler_and_decodes_the_parameters) {
  EXPECT_EQ(ask(Method::Get, "/v1/jobs").body, "list");
  EXPECT_EQ(ask(Method::Post, "/v1/jobs").body, "new");
  EXPECT_EQ(ask(Method::Get, "/v1/jobs/a%20b%2Fc?pretty").body, "job a b/c");
  EXPECT_EQ(ask(Method::Get, "/v1/jobs/a/runs/1-n").body, "a|1-n");
  EXPECT_EQ(header(ask(Method::Get, "/v1/jobs"), "X-Whom"), "node1");
  EXPECT_EQ(header(ask(Method::Get, "/health"), "X-Whom"), "");
}

TEST_F(RouterTest, an_unknown_path_is_404_without_marks) {
  for (const char* path :
       {"/", "/v2", "/v1/job", "/v1/jobs/a/b", "/v1//jobs", "//v1/jobs", "/V1/jobs", "/u"}) {
    const auto response = ask(Method::Get, path, {{"Origin", "http://other"}});
    EXPECT_EQ(response.status, 404) << path;
    EXPECT_EQ(response.body, "404 page not found");
    EXPECT_EQ(header(response, "Content-Type"), "text/plain");
    EXPECT_EQ(header(response, "X-Whom"), "");
  }
}

TEST_F(RouterTest, another_method_is_405_with_those_allowed) {
  auto response = ask(Method::Delete, "/v1/jobs");
  EXPECT_EQ(response.status, 405);
  EXPECT_EQ(header(response, "Allow"), "GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(response.body, "method DELETE is not allowed here");
  response = ask(Method::Post, "/v1/jobs/a", {{"Accept", "application/json"}});
  EXPECT_EQ(header(response, "Allow"), "GET, HEAD, OPTIONS");
  EXPECT_EQ(response.body, R"({"error":"method POST is not allowed here"})");
  EXPECT_EQ(ask(Method::Post, "/ui/x").status, 405);
}

TEST_F(RouterTest, head_is_answered_as_get) {
  EXPECT_EQ(ask(Method::Head, "/v1/jobs").status, 200);
  EXPECT_EQ(ask(Method::Head, "/v1/nothing").status, 404);
}

TEST_F(RouterTest, options_is_answered_as_a_preflight_on_known_paths) {
  const auto response = ask(Method::Options, "/v1/jobs/a");
  EXPECT_EQ(response.status, 204);
  EXPECT_EQ(header(response, "Access-Control-Allow-Origin"), "*");
  EXPECT_EQ(header(response, "Access-Control-Allow-Methods"), "*");
  EXPECT_EQ(header(response, "Access-Control-Allow-Headers"),
            "*, Authorization, Content-Type, X-Dkron-Token");
  EXPECT_EQ(header(response, "Access-Control-Max-Age"), "43200");
  EXPECT_EQ(header(response, "Allow"), "GET, HEAD, OPTIONS");
  EXPECT_EQ(ask(Method::Options, "/v1/nothing").status, 404);
}

TEST_F(RouterTest, a_final_slash_too_many_or_too_few_is_redirected) {
  auto response = ask(Method::Get, "/v1/jobs/?a=1&b=<x>");
  EXPECT_EQ(response.status, 301);
  EXPECT_EQ(header(response, "Location"), "/v1/jobs?a=1&b=<x>");
  EXPECT_EQ(response.body, "<a href=\"/v1/jobs?a=1&amp;b=&lt;x&gt;\">Moved Permanently</a>.\n\n");
  EXPECT_EQ(header(response, "Content-Type"), "text/html; charset=utf-8");
  EXPECT_EQ(header(response, "X-Whom"), "");
  response = ask(Method::Post, "/v1/jobs/");
  EXPECT_EQ(response.status, 307);
  EXPECT_EQ(header(response, "Location"), "/v1/jobs");
  EXPECT_EQ(response.body, "");
  EXPECT_EQ(header(ask(Method::Get, "/ui"), "Location"), "/ui/");
  EXPECT_EQ(header(ask(Method::Get, "/v1/jobs/a/"), "Location"), "/v1/jobs/a");
  // Never to another host.
  EXPECT_EQ(ask(Method::Get, "//evil.example/").status, 404);
}

TEST_F(RouterTest, a_malformed_escape_is_400_wherever_it_stands) {
  for (const char* path : {"/v1/jobs/%zz", "/v1/jobs/a/runs/%", "/v1/jobs/%2/runs/x",
                           "/nowhere/%zz", "/v1/jobs/%zz/nowhere", "/ui/%zz"}) {
    const auto response = ask(Method::Get, path);
    EXPECT_EQ(response.status, 400) << path;
    EXPECT_EQ(response.body, "400 Bad Request");
    EXPECT_EQ(header(response, "Connection"), "close");
    EXPECT_EQ(header(response, "X-Whom"), "");
  }
  EXPECT_EQ(ask(Method::Get, "/v1/jobs?q=%zz").status, 200);
}

TEST_F(RouterTest, a_tree_gets_the_raw_rest_of_the_path) {
  EXPECT_EQ(ask(Method::Get, "/ui/").body, "file ");
  EXPECT_EQ(ask(Method::Get, "/ui/a/b%20c/").body, "file a/b%20c/");
}

TEST_F(RouterTest, other_origins_may_read) {
  const auto allowed = [&](const std::string& path, const std::string& origin) {
    return header(ask(Method::Get, path, {{"Origin", origin}}), "Access-Control-Allow-Origin");
  };
  EXPECT_EQ(allowed("/v1/jobs", "http://other.example"), "*");
  EXPECT_EQ(allowed("/v1/jobs", "null"), "*");
  EXPECT_EQ(allowed("/v1/jobs", "http://here:8080"), "");
  EXPECT_EQ(allowed("/v1/jobs", "https://here:8080"), "");
  EXPECT_EQ(allowed("/v1/jobs", ""), "");
  EXPECT_EQ(allowed("/health", "http://other.example"), "");
}

TEST_F(RouterTest, each_route_limits_its_body) {
  EXPECT_EQ(router_.body_limit(Method::Post, "/v1/jobs"), 77U);
  EXPECT_EQ(router_.body_limit(Method::Get, "/health"), 1024U);
  EXPECT_EQ(router_.body_limit(Method::Post, "/nowhere"), RouteOptions().body_limit_bytes);
}

}  // namespace
}  // namespace dkron::api
