// Serf's messages: what memberlist carries as user messages and as the user state of a push/pull.
//
// As in messages.h: exact when written, liberal when read. Times are Lamport times. Source: the
// gossip specification, section 7.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "gossip/address.h"
#include "gossip/messages.h"

namespace dkron::gossip {

using LamportTime = std::uint64_t;
using Tags = std::map<std::string, std::string>;

struct LeaveIntent {
  LamportTime time = 0;
  std::string node;
  bool prune = false;
};

struct JoinIntent {
  LamportTime time = 0;
  std::string node;
};

struct UserEvent {
  LamportTime time = 0;
  std::string name;
  std::string payload;  // Empty is nil.
  bool may_coalesce = false;
};

struct Query {
  static constexpr std::uint32_t kWantsAck = 1;
  static constexpr std::uint32_t kNoBroadcast = 2;
  LamportTime time = 0;
  std::uint32_t id = 0;
  Ip ip;  // Where to answer.
  std::uint16_t port = 0;
  std::string source_node;
  std::vector<std::string> filters;  // Encoded (QueryFilter); none is nil.
  std::uint32_t flags = 0;
  std::uint8_t relay_factor = 0;
  Duration timeout{};
  std::string name;
  std::string payload;  // Empty is nil.
};

struct QueryResponse {
  static constexpr std::uint32_t kIsAck = 1;
  LamportTime time = 0;
  std::uint32_t id = 0;
  std::string from;
  std::uint32_t flags = 0;
  std::string payload;  // Empty is nil.
};

// A message to pass on: `inner` is a complete Serf message with its type byte.
struct Relay {
  Endpoint destination;
  std::string zone;
  std::string destination_name;
  std::string inner;
};

using SerfMessage = std::variant<LeaveIntent, JoinIntent, UserEvent, Query, QueryResponse, Relay>;

// With Serf's type byte, without memberlist's.
std::string encode(const LeaveIntent& message);
std::string encode(const JoinIntent& message);
std::string encode(const UserEvent& message);
std::string encode(const Query& message);
std::string encode(const QueryResponse& message);
std::string encode(const Relay& message);

Result<SerfMessage> decode_serf_message(std::string_view bytes);

// The user state of a push/pull. At most kMaxStateMembers members, kMaxStateSlots slots of the ring
// and kMaxStateEvents events in them; TooLarge beyond.
inline constexpr std::size_t kMaxStateMembers = std::size_t{1} << 20;
inline constexpr std::size_t kMaxStateSlots = std::size_t{1} << 16;
inline constexpr std::size_t kMaxStateEvents = std::size_t{1} << 16;
struct SerfState {
  struct Event {
    std::string name;
    std::string payload;
  };
  struct EventSlot {
    LamportTime time = 0;
    std::vector<Event> events;
  };
  LamportTime time = 0;
  // By member, each once; peers send them in any order, and it is kept.
  std::vector<std::pair<std::string, LamportTime>> status_times;
  std::vector<std::string> left_members;
  LamportTime event_time = 0;
  std::vector<std::optional<EventSlot>> events;  // The ring; empty slots may be left out.
  LamportTime query_time = 0;
};
std::string encode(const SerfState& state);
Result<SerfState> decode_serf_state(std::string_view bytes);

// One filter of a query: we must be among the names, or our tag must match.
struct NodeFilter {
  std::vector<std::string> names;
};
struct TagFilter {
  std::string tag;
  std::string expression;  // RE2 syntax, matched anywhere.
};
using QueryFilter = std::variant<NodeFilter, TagFilter>;
std::string encode(const QueryFilter& filter);
Result<QueryFilter> decode_query_filter(std::string_view bytes);

// Answer to a name conflict; nothing (c0) when the node is unknown.
struct ConflictResponse {
  std::string name;
  Ip ip;
  std::uint16_t port = 0;
  Tags tags;
  std::int64_t status = 0;  // 0 none, 1 alive, 2 leaving, 3 left, 4 failed.
  Versions versions;
};
std::string encode_conflict_response(const std::optional<ConflictResponse>& response);
Result<std::optional<ConflictResponse>> decode_conflict_response(std::string_view bytes);

struct KeyRequest {
  std::string key;  // Raw; empty to list.
};
std::string encode(const KeyRequest& request);
Result<KeyRequest> decode_key_request(std::string_view bytes);

struct KeyResponse {
  bool is_success = false;
  std::string message;
  std::vector<std::string> keys;  // Base64; none is nil.
  std::string primary_key;
};
std::string encode(const KeyResponse& response);
Result<KeyResponse> decode_key_response(std::string_view bytes);

// Tags as an alive message's meta: ff and a map; a meta without ff is an old role. TooLarge when it
// has more than kMaxMetaBytes; whoever encodes checks the size before use.
inline constexpr std::size_t kMaxMetaBytes = 512;
std::string encode_tags(const Tags& tags);
Result<Tags> decode_tags(std::string_view meta);

// A network coordinate as the payload of an ack: version 1 and a map. Decoded ones are finite and
// have kCoordinateDimensions.
inline constexpr std::size_t kCoordinateDimensions = 8;
struct CoordinateRecord {
  std::vector<double> vector;  // Seconds, 8 dimensions.
  double error = 0;
  double adjustment = 0;
  double height = 0;
};
// Finite, with the right number of dimensions.
bool is_usable(const CoordinateRecord& coordinate);
std::string encode(const CoordinateRecord& coordinate);
Result<CoordinateRecord> decode_coordinate(std::string_view payload);

}  // namespace dkron::gossip
