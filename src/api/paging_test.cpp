#include "api/paging.h"

#include "api/test_support.h"

namespace dkron::api {
namespace {

Page page_of(const std::string& query, std::uint64_t default_length = UINT64_MAX) {
  testing_support::Answer answer;
  const Exchange exchange(testing_support::request_of(net::Method::Get, "/v1/jobs" + query),
                          answer.responder(), {});
  return read_page(exchange, default_length);
}

// The indexes that are shown of a list of five, as text.
std::string shown(const std::string& query) {
  const Page page = page_of(query);
  std::string text;
  for (std::uint64_t i = page.start; i < std::min<std::uint64_t>(page.end, 5); ++i)
    text += std::to_string(i);
  return text;
}

// Where the original ends with status 500 (out of range, negative) the page is empty.
TEST(Paging, follows_the_original_and_answers_pages_outside_of_the_list_with_none) {
  struct Case {
    const char* query;
    const char* indexes;
  };
  for (const auto& [query, indexes] : {
           Case{"", "01234"},
           Case{"?_start=1&_end=3", "12"},
           Case{"?_end=2", "01"},
           Case{"?_start=2&_end=99", "234"},
           Case{"?_start=5", ""},
           Case{"?_start=6", ""},
           Case{"?_start=3&_end=3", ""},
           Case{"?_start=3&_end=1", ""},
           Case{"?_start=-1", ""},
           Case{"?_start=-5&_end=3", ""},
           Case{"?_end=-1", ""},
           Case{"?_start=-5&_end=-1", ""},
           Case{"?_start=x", "01234"},
           Case{"?_start=1.5", "01234"},
           Case{"?_start=0x1", "01234"},
           Case{"?_start=1e1", "01234"},
           Case{"?_start=", "01234"},
           Case{"?_start", "01234"},
           Case{"?_start=%202", "01234"},
           Case{"?_start=%2B2", "234"},
           Case{"?_start=%2B-2", "01234"},
           Case{"?_start=-", "01234"},
           Case{"?_start=002", "234"},
           Case{"?_end=x", ""},
           Case{"?_end=", ""},
           Case{"?_end=1.5", ""},
           Case{"?_start=99999999999999999999", ""},
           Case{"?_start=9223372036854775807", ""},
           Case{"?_start=9223372036854775808", ""},
           Case{"?_start=-99999999999999999999", ""},
           Case{"?_start=99999999999999999999x", "01234"},
           Case{"?_end=99999999999999999999", "01234"},
           Case{"?_end=9223372036854775807", "01234"},
           Case{"?_end=-99999999999999999999", ""},
           Case{"?_end=18446744073709551615", "01234"},
       }) {
    EXPECT_EQ(shown(query), indexes) << query;
  }
}

TEST(Paging, a_default_length_counts_from_the_start) {
  EXPECT_EQ(page_of("", 100).end, 100U);
  EXPECT_EQ(page_of("?_start=50", 100).length(), 100U);
  EXPECT_EQ(page_of("?_start=50&_end=60", 100).length(), 10U);
  EXPECT_EQ(page_of("?_start=50&_end=10", 100).length(), 0U);
  EXPECT_EQ(page_of("?_start=-1", 100).length(), 0U);
  EXPECT_EQ(page_of("?_start=9223372036854775807", 100).length(), 100U);
}

}  // namespace
}  // namespace dkron::api
