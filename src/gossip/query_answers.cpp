#include "gossip/query_answers.h"

#include "base/log.h"

namespace dkron::gossip {

QueryAnswers::QueryAnswers(std::size_t limit_bytes, Memberlist& memberlist,
                           const MemberTable& members, Random& random)
    : limit_bytes_(limit_bytes), memberlist_(memberlist), members_(members), random_(random) {}

void QueryAnswers::acknowledge(const Query& query) {
  const std::string ack =
      encode(QueryResponse{query.time, query.id, memberlist_.name(), QueryResponse::kIsAck, {}});
  memberlist_.send_user({query.ip, query.port}, ack, false);
  relay(query, ack);
}

Result<> QueryAnswers::respond(const Query& query, std::string_view payload) {
  const std::string response =
      encode(QueryResponse{query.time, query.id, memberlist_.name(), 0, std::string(payload)});
  if (response.size() > limit_bytes_) {
    return fail(ErrorCode::TooLarge, "the response to a query is larger than " +
                                         std::to_string(limit_bytes_) + " bytes");
  }
  memberlist_.send_user({query.ip, query.port}, response, false);
  relay(query, response);
  return {};
}

void QueryAnswers::relay(const Query& query, const std::string& answer) {
  constexpr std::uint8_t kRelayingProtocol = 5;
  const std::size_t count = query.relay_factor;
  if (count == 0 || members_.size() < count + 1) return;
  const std::string wrapped = encode(Relay{{query.ip, query.port}, {}, query.source_node, answer});
  if (wrapped.size() > limit_bytes_) {
    log::debug("gossip: an answer is too large to be relayed", {{"query", query.name}});
    return;
  }
  const auto relays = members_.pick(count, random_, [&](const Member& member) {
    return member.status == MemberStatus::Alive &&
           member.versions.protocol_max >= kRelayingProtocol && member.name != memberlist_.name();
  });
  for (const Member* member : relays) memberlist_.send_user(member->endpoint, wrapped, false);
}

void QueryAnswers::pass_on(const Relay& relay) {
  memberlist_.send_user(relay.destination, relay.inner, false);
}

}  // namespace dkron::gossip
