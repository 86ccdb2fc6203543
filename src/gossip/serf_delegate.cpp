// Serf's side towards the memberlist: messages, states and measurements that it brings
// (specification 8.3 to 8.7).
#include <map>
#include <utility>

#include "base/log.h"
#include "gossip/serf.h"

namespace dkron::gossip {
namespace {

SerfBroadcasts::Kind kind_of(const SerfMessage& message) {
  if (std::holds_alternative<UserEvent>(message)) return SerfBroadcasts::Kind::Event;
  if (std::holds_alternative<Query>(message)) return SerfBroadcasts::Kind::Query;
  return SerfBroadcasts::Kind::Intent;
}

// A time as another's clock shows it is the next to be used; what was seen is the one before.
void witness_clock(LamportClock& clock, LamportTime shown) {
  if (shown > 0) clock.witness(shown - 1);
}

// The receiver takes the time for one of a join. Dkron differs: that of a leave under way is shown
// as the moment before, or the leave intent itself would come too late there and the member count
// as failed.
LamportTime shown_status_time(const KnownMember& known) {
  const bool is_leaving = known.member.status == MemberStatus::Leaving && known.status_time > 0;
  return is_leaving ? known.status_time - 1 : known.status_time;
}

}  // namespace

Result<> Serf::accept(const NodeRecord& node) {
  if (!options_.accept) return {};
  return options_.accept(node.name, decode_tags(node.meta).value_or(Tags{}));
}

void Serf::on_conflict(const NodeRecord& known, const Alive& other) {
  ++counters_.name_conflicts;
  log::warning("gossip: two nodes have one name",
               {{"member", known.name},
                {"known", Endpoint{known.ip, known.port}.to_string()},
                {"other", Endpoint{other.ip, other.port}.to_string()}});
  if (!roster_.is_self(known.name) || !options_.resolves_name_conflicts) return;
  if (phase_ == Phase::Running) vote_.begin(joins_ > 0);
}

void Serf::on_user_message(std::string_view payload) {
  if (phase_ == Phase::Stopped) return;
  const Result<SerfMessage> message = decode_serf_message(payload);
  if (!message) {
    ++counters_.messages_dropped;
    log::debug("gossip: a message of Serf was dropped", {{"reason", message.error()}});
    return;
  }
  const bool is_passed_on = std::visit([this](const auto& m) { return on_message(m); }, *message);
  // As it came: another version may have put more into it than we read.
  if (is_passed_on) broadcast(kind_of(*message), std::string(payload));
}

void Serf::broadcast(SerfBroadcasts::Kind kind, std::string message) {
  if (!broadcasts_.push(kind, std::move(message))) ++counters_.messages_too_large;
}

bool Serf::on_message(const LeaveIntent& intent) {
  const Roster::Effect effect = roster_.on_intent(intent);
  if (effect == Roster::Effect::Refute) {
    log::warning("gossip: contradicting that we leave");
    broadcast_join();
  }
  return effect == Roster::Effect::Gossip;
}

bool Serf::on_message(const JoinIntent& intent) {
  return roster_.on_intent(intent) == Roster::Effect::Gossip;
}

void Serf::broadcast_join() {
  const JoinIntent intent{roster_.clock().time(), options_.name};
  on_message(intent);
  broadcast(SerfBroadcasts::Kind::Intent, encode(intent));
}

bool Serf::on_message(const UserEvent& event) {
  if (!events_.admit(event)) return false;
  ++counters_.events;
  if (event.may_coalesce) {
    user_events_.add(event);
  } else {
    mailbox_.post([this, event] {
      if (handlers_.on_user_event) handlers_.on_user_event(event);
    });
  }
  return true;
}

bool Serf::on_message(const QueryResponse& response) {
  open_queries_.on_response(response);
  return false;
}

bool Serf::on_message(const Relay& relay) {
  answers_.pass_on(relay);
  return false;
}

void Serf::on_member_change(MemberEvent::Type type, const Member& member) {
  if (type == MemberEvent::Type::Reap) round_trips_.forget(member.name);
  log::debug("gossip: a member changed", {{"event", to_string(type)},
                                          {"member", member.name},
                                          {"address", member.endpoint.to_string()}});
  member_events_.add(type, member);
}

void Serf::take_broadcasts(std::size_t overhead_bytes, std::size_t& room_bytes,
                           std::vector<std::string>& out) {
  broadcasts_.take(roster_.members().size(), overhead_bytes, room_bytes, out);
}

std::string Serf::local_state(bool) {
  SerfState state;
  state.time = roster_.clock().time();
  state.event_time = events_.clock().time();
  state.events = events_.slots();
  state.query_time = queries_.clock().time();
  state.status_times.reserve(roster_.members().size());
  for (const auto& [name, known] : roster_.members().all()) {
    state.status_times.emplace_back(name, shown_status_time(*known));
    if (known->member.status == MemberStatus::Left) state.left_members.emplace_back(name);
  }
  return encode(state);
}

void Serf::merge_remote_state(std::string_view bytes, bool is_join) {
  if (phase_ == Phase::Stopped || bytes.empty()) return;
  Result<SerfState> state = decode_serf_state(bytes);
  if (!state) {
    ++counters_.messages_dropped;
    log::warning("gossip: a member's state of Serf was dropped", {{"reason", state.error()}});
    return;
  }
  witness_clock(roster_.clock(), state->time);
  witness_clock(events_.clock(), state->event_time);
  witness_clock(queries_.clock(), state->query_time);

  merge_intents(*state);

  if (is_join && joins_ignoring_old_ > 0) events_.ignore_before(state->event_time);
  for (const auto& slot : state->events) {
    if (!slot) continue;
    for (const SerfState::Event& event : slot->events) {
      on_message(UserEvent{slot->time, event.name, event.payload, false});
    }
  }
}

void Serf::merge_intents(const SerfState& state) {
  std::map<std::string, LamportTime> times(state.status_times.begin(), state.status_times.end());
  // Those who left come first, so that the time of their leave is not taken for one of a join.
  for (const std::string& name : state.left_members) {
    const auto time = times.extract(name);
    on_message(LeaveIntent{(time.empty() ? 0 : time.mapped()) + 1, name, false});
  }
  for (const auto& [name, time] : times) on_message(JoinIntent{time, name});
}

void Serf::on_ping_complete(const NodeRecord& node, Duration round_trip, std::string_view payload) {
  if (roster_.members().find(node.name) == nullptr) return;
  if (!round_trips_.on_measured(node.name, round_trip, payload)) ++counters_.coordinates_refused;
}

}  // namespace dkron::gossip
