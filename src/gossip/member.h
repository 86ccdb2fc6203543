// Member: what Serf knows of one node, and the news about members.
//
// The statuses are Serf's: a member that announced its leave is `left`, one that vanished is
// `failed`. Values, free of threads. Source: the gossip specification 8.2.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gossip/serf_messages.h"

namespace dkron::gossip {

enum class MemberStatus { None = 0, Alive = 1, Leaving = 2, Left = 3, Failed = 4 };
std::string_view to_string(MemberStatus status);  // "none", "alive", "leaving", "left", "failed".

struct Member {
  std::string name;
  Endpoint endpoint;
  std::string meta;  // Its tags as they travel: a tenth of what they take as a map.
  MemberStatus status = MemberStatus::None;
  Versions versions;

  // Decoded anew at each call. A meta that cannot be read counts as no tags, as peers take it.
  Tags tags() const { return decode_tags(meta).value_or(Tags{}); }
};

struct MemberEvent {
  enum class Type { Join, Leave, Failed, Update, Reap };
  Type type = Type::Join;
  std::vector<Member> members;
};
std::string_view to_string(MemberEvent::Type type);  // "join", "leave", "failed" ...

}  // namespace dkron::gossip
