#include "gossip/query_filters.h"

#include <re2/re2.h>

#include <algorithm>

namespace dkron::gossip {
namespace {

bool matches(const TagFilter& filter, const Tags& tags) {
  constexpr std::int64_t kMaxExpressionMemoryBytes = 1 << 20;
  RE2::Options options(RE2::Quiet);
  options.set_max_mem(kMaxExpressionMemoryBytes);
  const RE2 expression(filter.expression, options);
  if (!expression.ok()) return false;
  const auto tag = tags.find(filter.tag);
  return RE2::PartialMatch(tag == tags.end() ? std::string() : tag->second, expression);
}

bool matches(std::string_view bytes, const std::string& name, const Tags& tags) {
  const Result<QueryFilter> filter = decode_query_filter(bytes);
  if (!filter) return false;
  if (const auto* nodes = std::get_if<NodeFilter>(&*filter)) {
    return std::ranges::find(nodes->names, name) != nodes->names.end();
  }
  return matches(std::get<TagFilter>(*filter), tags);
}

}  // namespace

bool all_match(const std::vector<std::string>& filters, const std::string& name, const Tags& tags) {
  if (filters.size() > kMaxFilters) return false;
  return std::ranges::all_of(
      filters, [&](const std::string& filter) { return matches(filter, name, tags); });
}

}  // namespace dkron::gossip
