#include "api/paging.h"

#include <charconv>

namespace dkron::api {
namespace {

// As Go's Atoi with its error ignored: the nearest number when it is out of range.
std::int64_t read_index(std::string_view text) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return 0;
  }
  std::int64_t value = 0;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, value);
  if (end != last || error == std::errc::invalid_argument) return 0;
  if (error == std::errc::result_out_of_range) return text[0] == '-' ? INT64_MIN : INT64_MAX;
  return value;
}

}  // namespace

Page read_page(const Exchange& exchange, std::uint64_t default_length) {
  Page page;
  const std::int64_t start = read_index(exchange.query("_start"));
  if (start < 0) return Page{UINT64_MAX, 0};
  page.start = static_cast<std::uint64_t>(start);
  if (exchange.has_query("_end")) {
    const std::int64_t end = read_index(exchange.query("_end"));
    page.end = end < 0 ? 0 : static_cast<std::uint64_t>(end);
  } else {
    const bool is_whole = default_length > UINT64_MAX - page.start;
    page.end = is_whole ? UINT64_MAX : page.start + default_length;
  }
  return page;
}

}  // namespace dkron::api
