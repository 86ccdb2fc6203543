// Serf's queries: asking the members, and answering them (specification 8.6).
#include <algorithm>
#include <cmath>
#include <utility>

#include "base/log.h"
#include "gossip/query_filters.h"
#include "gossip/serf.h"

namespace dkron::gossip {
namespace {

constexpr Duration kMaxQueryTimeout = hours(1);
constexpr std::string_view kPingQuery = "_serf_ping";

}  // namespace

Result<> Serf::send_query(std::string_view name, std::string_view payload,
                          const QueryOptions& options, QueryHandlers handlers) {
  return ask(name, payload, options, std::move(handlers));
}

AskQuery Serf::asker() {
  return
      [this](std::string_view name, std::string_view payload, const QueryOptions& options,
             QueryHandlers handlers) { return ask(name, payload, options, std::move(handlers)); };
}

Result<> Serf::ask(std::string_view name, std::string_view payload, const QueryOptions& options,
                   QueryHandlers handlers) {
  if (phase_ != Phase::Running) return fail(ErrorCode::Unavailable, "gossip does not run");
  if (open_queries_.is_full()) return fail(ErrorCode::Overloaded, "too many queries are open");
  constexpr std::uint32_t kIdMask = 0x7fff'ffff;
  Query query;
  query.time = queries_.clock().time();
  query.id = static_cast<std::uint32_t>(env_.random.next()) & kIdMask;
  query.ip = options_.advertise.ip;
  query.port = options_.advertise.port;
  query.source_node = options_.name;
  query.flags = options.wants_ack ? Query::kWantsAck : 0;
  query.relay_factor = options.relay_factor;
  query.timeout = query_timeout(options);
  query.name = name;
  query.payload = payload;
  for (const QueryFilter& filter : options.filters) query.filters.push_back(encode(filter));
  std::string message = encode(query);
  if (message.size() > options_.query_limit_bytes) {
    return fail(ErrorCode::TooLarge, "the query is larger than " +
                                         std::to_string(options_.query_limit_bytes) + " bytes");
  }
  open_queries_.open(query, options.enough_responses, std::move(handlers));
  on_message(query);
  broadcast(SerfBroadcasts::Kind::Query, std::move(message));
  return {};
}

Duration Serf::query_timeout(const QueryOptions& options) const {
  if (options.timeout > Duration{0}) return std::min(options.timeout, kMaxQueryTimeout);
  constexpr int kTimeoutMult = 16;
  const auto alive = static_cast<double>(roster_.members().count(MemberStatus::Alive));
  const int levels = std::max(1, static_cast<int>(std::ceil(std::log10(alive + 1))));
  return options_.profile.gossip_interval * kTimeoutMult * levels;
}

bool Serf::on_message(const Query& query) {
  if (!queries_.admit(query.time, query.id)) return false;
  ++counters_.queries;
  const bool is_passed_on = (query.flags & Query::kNoBroadcast) == 0;
  if (!all_match(query.filters, options_.name, roster_.self().tags())) return is_passed_on;
  if ((query.flags & Query::kWantsAck) != 0) answers_.acknowledge(query);
  if (query.name.starts_with(kInternalQueryPrefix)) {
    answer_internally(query);
  } else {
    hand_over(query);
  }
  return is_passed_on;
}

void Serf::answer_internally(const Query& query) {
  if (query.name == kPingQuery) return;  // The acknowledgement is all.
  std::optional<std::string> answer;
  if (query.name == ConflictVote::kQuery) {
    answer = conflict_answer(query.payload);
  } else if (const std::optional<KeyAction> action = find_key_action(query.name)) {
    // What the response around the answer costs is known from an empty one.
    const std::size_t used =
        encode(QueryResponse{query.time, query.id, options_.name, 0, {}}).size();
    constexpr std::size_t kLengthBytes = 4;
    const std::size_t limit = options_.query_response_limit_bytes;
    answer = encode(
        key_keeper_.answer(*action, query.payload, limit - std::min(limit, used + kLengthBytes)));
  } else {
    log::warning("gossip: an unknown query of Serf itself", {{"query", query.name}});
  }
  if (!answer) return;
  if (const Result<> sent = answers_.respond(query, *answer); !sent) {
    log::warning("gossip: a query was not answered",
                 {{"query", query.name}, {"reason", sent.error()}});
  }
}

// Where we know the node of that name to be; nothing about ourselves, since we are a party to it.
std::optional<std::string> Serf::conflict_answer(const std::string& name) const {
  if (roster_.is_self(name)) return std::nullopt;
  const KnownMember* known = roster_.members().find(name);
  if (known == nullptr) return encode_conflict_response(std::nullopt);
  const Member& member = known->member;
  return encode_conflict_response(
      ConflictResponse{.name = member.name,
                       .ip = member.endpoint.ip,
                       .port = member.endpoint.port,
                       .tags = member.tags(),
                       .status = static_cast<std::int64_t>(member.status),
                       .versions = member.versions});
}

void Serf::hand_over(const Query& query) {
  if (!handlers_.on_query) return;
  const Duration timeout = std::clamp(query.timeout, Duration{0}, kMaxQueryTimeout);
  const Duration deadline = env_.timers.now() + timeout;
  IncomingQuery incoming;
  incoming.name = query.name;
  incoming.payload = query.payload;
  incoming.from = query.source_node;
  incoming.respond = [this, alive = std::weak_ptr<char>(alive_token_), query, deadline,
                      is_answered =
                          std::make_shared<bool>(false)](std::string_view payload) -> Result<> {
    if (alive.expired()) return fail(ErrorCode::Canceled, "gossip was stopped");
    if (*is_answered) return fail(ErrorCode::Conflict, "the query was answered already");
    if (env_.timers.now() > deadline) return fail(ErrorCode::Timeout, "the query is over");
    Result<> sent = answers_.respond(query, payload);
    *is_answered = sent.has_value();
    return sent;
  };
  mailbox_.post([this, incoming = std::move(incoming)] { handlers_.on_query(incoming); });
}

Result<> Serf::manage_keys(KeyAction action, const std::string& key,
                           std::function<void(const KeyReport&)> done) {
  return key_manager_.ask(action, key, roster_.members().count(MemberStatus::Alive),
                          std::move(done));
}

}  // namespace dkron::gossip
