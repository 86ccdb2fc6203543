#include "executor/config_text.h"

#include <algorithm>

#include "base/go_text.h"

namespace dkron::executor {
namespace {

Result<std::pair<std::int64_t, std::int64_t>> parse_range(std::string_view item,
                                                          bool with_classes) {
  const bool is_class = with_classes && item.size() == 3 && item[0] >= '1' && item[0] <= '9' &&
                        (item.substr(1) == "xx" || item.substr(1) == "XX");
  if (is_class) {
    const std::int64_t first = (item[0] - '0') * 100;
    return std::pair(first, first + 99);
  }
  const std::size_t dash = item.find('-', 1);
  const std::string_view last = dash == std::string_view::npos ? item : item.substr(dash + 1);
  const auto low = go::parse_int(go::trim_space(item.substr(0, dash)));
  const auto high = go::parse_int(go::trim_space(last));
  if (!low || !high || *low < 0 || *low > *high) {
    return fail(ErrorCode::InvalidArgument, go::quote(item) + " is neither a number nor a range");
  }
  return std::pair(*low, *high);
}

}  // namespace

std::string_view find_value(const Config& config, std::string_view key) {
  const auto found = config.find(std::string(key));
  return found == config.end() ? std::string_view() : std::string_view(found->second);
}

Result<CodeSet> CodeSet::parse(std::string_view text, bool with_classes) {
  CodeSet set;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    const std::string_view item = go::trim_space(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (item.empty()) continue;
    auto range = parse_range(item, with_classes);
    if (!range) return fail(range.error());
    set.ranges_.push_back(*range);
  }
  return set;
}

bool CodeSet::contains(std::int64_t code) const {
  return std::any_of(ranges_.begin(), ranges_.end(), [code](const auto& range) {
    return range.first <= code && code <= range.second;
  });
}

}  // namespace dkron::executor
