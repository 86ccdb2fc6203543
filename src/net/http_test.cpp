#include "net/http.h"

#include <gtest/gtest.h>

#include "net/http_parser.h"
#include "net/http_response.h"
#include "net/http_url.h"

namespace dkron::net {
namespace {

std::string decoded(std::string_view raw) {
  std::string text;
  return decode_segment(raw, &text) ? text : "malformed";
}

TEST(Http, decodes_path_segments) {
  EXPECT_EQ(decoded("a%20b"), "a b");
  EXPECT_EQ(decoded("a+b"), "a+b");
  EXPECT_EQ(decoded("%C3%a9%2F"), "\xC3\xA9/");
  EXPECT_EQ(decoded(""), "");
  for (const char* raw : {"%", "%2", "%zz", "a%2", "%%20", "%-1"})
    EXPECT_EQ(decoded(raw), "malformed") << raw;
}

TEST(Http, encodes_what_it_decodes) {
  EXPECT_EQ(encode_segment("job-1_x.y~$&+:=@"), "job-1_x.y~$&+:=@");
  EXPECT_EQ(encode_segment("a b/c?d#e%;,"), "a%20b%2Fc%3Fd%23e%25%3B%2C");
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  EXPECT_EQ(decoded(encode_segment(all)), all);
}

TEST(Http, reads_query_parameters) {
  Request request;
  request.query = parse_query("pretty&a=1+2&a=3&b=&=x&%41=%2B&bad=%zz&c;d=1&&e=f=g");
  ASSERT_EQ(request.query.size(), 7U);
  EXPECT_FALSE(request.find_query("pretty")->has_value);
  EXPECT_EQ(request.find_query("a")->value, "1 2") << "the first one";
  EXPECT_TRUE(request.find_query("b")->has_value);
  EXPECT_EQ(request.find_query("b")->value, "");
  EXPECT_EQ(request.find_query("")->value, "x");
  EXPECT_EQ(request.find_query("A")->value, "+");
  EXPECT_EQ(request.find_query("e")->value, "f=g");
  EXPECT_EQ(request.find_query("bad"), nullptr);
  EXPECT_EQ(request.find_query("c;d"), nullptr);
}

TEST(Http, finds_headers_without_regard_to_case) {
  const Headers headers = {{"X-One", "1"}, {"x-one", "2"}, {"Empty", ""}};
  EXPECT_EQ(find_header(headers, "x-ONE"), "1");
  EXPECT_EQ(find_header(headers, "empty"), "");
  EXPECT_EQ(find_header(headers, "X-On"), "");
}

TEST(Http, names_its_methods) {
  EXPECT_EQ(to_string(Method::Delete), "DELETE");
  EXPECT_EQ(to_string(Method::Other), "OTHER");
}

TEST(HttpResponse, renders_dates) {
  HttpDate date;
  EXPECT_EQ(date.at(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(date.at(0), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(date.at(1709251199), "Thu, 29 Feb 2024 23:59:59 GMT");
}

TEST(HttpUrl, hides_passwords) {
  EXPECT_EQ(without_password("http://u:secret@h:1/x?y=a:b@c"), "http://u:***@h:1/x?y=a:b@c");
  EXPECT_EQ(without_password("http://u:p@ss@h/"), "http://u:***@h/");
  EXPECT_EQ(without_password("http://u@h:1/"), "http://u@h:1/");
  EXPECT_EQ(without_password("http://h/a:b@c"), "http://h/a:b@c");
}

TEST(HttpUrl, finds_the_host) {
  EXPECT_EQ(url_host("http://u:p@Example.ORG:80/x"), "example.org");
  EXPECT_EQ(url_host("https://[::1]:80"), "::1");
  EXPECT_EQ(url_host("http:///x"), "");
  EXPECT_EQ(url_host("http://h?x"), "h");
}

// The whole of a parse, from bytes that come in pieces of `piece` bytes.
std::string parse_in_pieces(std::string_view bytes, std::size_t piece) {
  const ParserLimits limits;
  RequestParser parser(limits);
  std::string pending;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    pending += bytes.substr(at, piece);
    std::size_t consumed = 0;
    const auto step = parser.parse(pending, &consumed);
    pending.erase(0, consumed);
    if (step == RequestParser::Step::Failed) return parser.failure_reason();
    if (step == RequestParser::Step::Complete) return parser.take().body + "|" + pending;
  }
  return "more";
}

TEST(RequestParser, gives_the_same_request_however_it_is_cut) {
  const std::string_view bytes =
      "POST /x HTTP/1.1\r\nHost: h\r\nX: folded\r\n  value\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5;a=b\r\nhello\r\n1 \r\n!\r\n0\r\nT: r\r\n\r\n";
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    EXPECT_EQ(parse_in_pieces(bytes, piece), "hello!|") << piece;
  }
}

}  // namespace
}  // namespace dkron::net
