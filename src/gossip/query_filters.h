// Whether a query is meant for us: all of its filters must take us.
//
// Filters come from the network: an unknown kind, a broken expression, an empty one or more than
// kMaxFilters mean no match. Expressions are RE2 with a memory limit. Pure; specification 7.1.
#pragma once

#include <string>
#include <vector>

#include "gossip/serf_messages.h"

namespace dkron::gossip {

inline constexpr std::size_t kMaxFilters = 128;

bool all_match(const std::vector<std::string>& filters, const std::string& name, const Tags& tags);

}  // namespace dkron::gossip
