// Queries as their asker and their answerers see them.
//
// A query reaches the members that its filters take; each may acknowledge it and answer once before
// the time is over. Values with handlers, on Serf's thread. Source: the gossip specification 8.6.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "gossip/serf_messages.h"

namespace dkron::gossip {

// A query that somebody asks; `respond` may be called once before the deadline, from anywhere on
// the thread; its payload is bounded by Options::query_response_limit_bytes.
struct IncomingQuery {
  std::string name;
  std::string payload;
  std::string from;
  std::function<Result<>(std::string_view payload)> respond;
};

struct QueryOptions {
  Duration timeout{0};  // Zero: from the number of members (specification 8.6).
  std::vector<QueryFilter> filters;
  bool wants_ack = false;
  std::uint8_t relay_factor = 0;
  std::size_t enough_responses = 0;  // Done as soon as so many came; zero: when the time is over.
};
struct QueryHandlers {
  std::function<void(const std::string& from)> on_ack;
  std::function<void(const std::string& from, std::string_view payload)> on_response;
  std::function<void()> on_done;  // Nothing comes after it.
};

// How parts of Serf ask: Serf::send_query(), also for internal names.
using AskQuery = std::function<Result<>(std::string_view name, std::string_view payload,
                                        const QueryOptions& options, QueryHandlers handlers)>;

// Names of Serf's own queries begin so; the application neither sees nor sends them.
inline constexpr std::string_view kInternalQueryPrefix = "_serf_";

}  // namespace dkron::gossip
