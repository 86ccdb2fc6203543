#include "api/exchange.h"

#include "api/test_support.h"

namespace dkron::api {
namespace {

using testing_support::Answer;
using testing_support::header;
using testing_support::request_of;

net::Response error_for(const std::string& accept, std::string_view message,
                        const std::string& target = "/x") {
  Answer answer;
  net::Request request = request_of(net::Method::Get, target);
  if (!accept.empty()) request.headers.emplace_back("Accept", accept);
  Exchange exchange(std::move(request), answer.responder(), {{"X-Whom", "n"}});
  exchange.error(409, message);
  return answer.get();
}

TEST(Exchange, an_error_is_text_unless_only_json_is_wanted) {
  for (const char* accept :
       {"", "*/*", "application/json, */*", "application/json, text/plain", "text/html"}) {
    const auto response = error_for(accept, "it <failed>");
    EXPECT_EQ(response.status, 409);
    EXPECT_EQ(response.body, "it <failed>") << accept;
    EXPECT_EQ(header(response, "Content-Type"), "text/plain; charset=utf-8");
    EXPECT_EQ(header(response, "X-Whom"), "n");
  }
  const auto response = error_for("application/json", "it <failed>", "/x?pretty");
  EXPECT_EQ(response.body, R"({"error":"it \u003cfailed\u003e"})");
  EXPECT_EQ(header(response, "Content-Type"), "application/json; charset=utf-8");
}

TEST(Exchange, no_error_is_empty) {
  EXPECT_EQ(error_for("", "").body, "Conflict");
}

TEST(Exchange, each_code_has_its_status) {
  for (const auto& [code, status] :
       std::vector<std::pair<ErrorCode, int>>{{ErrorCode::InvalidArgument, 400},
                                              {ErrorCode::NotFound, 404},
                                              {ErrorCode::Conflict, 409},
                                              {ErrorCode::TooLarge, 413},
                                              {ErrorCode::Unavailable, 503},
                                              {ErrorCode::OutcomeUnknown, 503},
                                              {ErrorCode::Overloaded, 503},
                                              {ErrorCode::Timeout, 504},
                                              {ErrorCode::Canceled, 500},
                                              {ErrorCode::Io, 500},
                                              {ErrorCode::Corrupt, 500},
                                              {ErrorCode::Internal, 500}}) {
    EXPECT_EQ(http_status(code), status);
  }
}

TEST(Exchange, flags_are_on_unless_they_say_off) {
  const auto is_on = [](const std::string& query) {
    Answer answer;
    const Exchange exchange(request_of(net::Method::Get, "/x?" + query), answer.responder(), {});
    return exchange.flag("wait");
  };
  for (const char* on : {"wait", "wait=", "wait=true", "wait=1", "wait=yes"})
    EXPECT_TRUE(is_on(on)) << on;
  for (const char* off : {"", "wait=false", "wait=0", "other", "wait=false&wait=true"})
    EXPECT_FALSE(is_on(off)) << off;
}

TEST(Exchange, pretty_json_is_for_those_who_ask) {
  for (const auto& [target, body] : std::vector<std::pair<std::string, std::string>>{
           {"/x", R"({"a":1})"},
           {"/x?pretty", "{\n    \"a\": 1\n}"},
           {"/x?pretty=false", "{\n    \"a\": 1\n}"}}) {
    Answer answer;
    Exchange exchange(request_of(net::Method::Get, target), answer.responder(), {});
    exchange.add_header("X-Total-Count", "1");
    exchange.json(200, R"({"a":1})");
    const auto response = answer.get();
    EXPECT_EQ(response.body, body);
    EXPECT_EQ(header(response, "Content-Type"), "application/json; charset=utf-8");
    EXPECT_EQ(header(response, "X-Total-Count"), "1");
  }
}

}  // namespace
}  // namespace dkron::api
