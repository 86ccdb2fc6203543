// QueryAnswers: sends our acknowledgement of and our response to a query, straight to its asker.
//
// Where the asker wants it, a copy goes through other members, so that one lost packet does not
// lose the answer. An answer is at most `limit_bytes` long as it is encoded. Part of Serf; lives on
// its thread. Source: the gossip specification 8.6.
#pragma once

#include "gossip/member_table.h"
#include "gossip/memberlist.h"
#include "gossip/query.h"

namespace dkron::gossip {

class QueryAnswers {
 public:
  QueryAnswers(std::size_t limit_bytes, Memberlist& memberlist, const MemberTable& members,
               Random& random);

  void acknowledge(const Query& query);
  // TooLarge when the answer is.
  Result<> respond(const Query& query, std::string_view payload);
  // Passes another member's answer on.
  void pass_on(const Relay& relay);

 private:
  void relay(const Query& query, const std::string& answer);

  std::size_t limit_bytes_;
  Memberlist& memberlist_;
  const MemberTable& members_;
  Random& random_;
};

}  // namespace dkron::gossip
