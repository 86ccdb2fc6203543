#include "gossip/test_json.h"

#include <gtest/gtest.h>

#include "codec/test_golden.h"

namespace dkron::gossip::testing_support {

using dkron::testing_support::to_hex;
namespace json = boost::json;

namespace {

json::value bytes_or_null(std::string_view bytes) {
  if (bytes.empty()) return nullptr;
  return json::object{{"hex", to_hex(bytes)}};
}

json::value address(const Ip& ip) {
  return json::object{{"ip", ip.to_string()}, {"hex", to_hex(ip.wire())}};
}

json::value versions(const Versions& versions) {
  return json::array{versions.protocol_min, versions.protocol_max, versions.protocol_current,
                     versions.delegate_min, versions.delegate_max, versions.delegate_current};
}

json::value tags_of(const Tags& tags) {
  json::object all;
  for (const auto& [key, value] : tags) all[key] = value;
  return all;
}

json::value meta(const std::string& bytes) {
  const auto tags = decode_tags(bytes);
  EXPECT_TRUE(tags);
  if (!bytes.starts_with('\xff')) return json::object{{"role_legacy", tags->at("role")}};
  EXPECT_EQ(encode_tags(*tags).size(), bytes.size());
  return json::object{{"tags", tags_of(*tags)}};
}

json::object typed(std::string_view type, json::object fields) {
  return {{"type", json::string_view(type.data(), type.size())}, {"fields", std::move(fields)}};
}

void add_source(json::object& fields, const Ip& ip, std::uint16_t port, const std::string& node) {
  if (!ip.is_absent()) fields["SourceAddr"] = address(ip);
  if (port != 0) fields["SourcePort"] = port;
  if (!node.empty()) fields["SourceNode"] = node;
}

json::value render(const Ping& ping) {
  json::object fields{{"SeqNo", ping.sequence}, {"Node", ping.node}};
  add_source(fields, ping.source_ip, ping.source_port, ping.source_node);
  return typed("ping", fields);
}

json::value render(const IndirectPing& ping) {
  json::object fields{{"SeqNo", ping.sequence},
                      {"Target", address(ping.target)},
                      {"Port", ping.port},
                      {"Node", ping.node},
                      {"Nack", ping.wants_nack}};
  add_source(fields, ping.source_ip, ping.source_port, ping.source_node);
  return typed("indirectPing", fields);
}

json::value render(const Ack& ack) {
  json::object all =
      typed("ackResp", {{"SeqNo", ack.sequence}, {"Payload", bytes_or_null(ack.payload)}});
  if (ack.payload.empty()) return all;
  const auto coordinate = decode_coordinate(ack.payload);
  EXPECT_TRUE(coordinate);
  EXPECT_EQ(to_hex(encode(*coordinate)), to_hex(ack.payload));
  all["coordinate"] = {{"version", 1},
                       {"Vec", json::array(coordinate->vector.begin(), coordinate->vector.end())},
                       {"Error", coordinate->error},
                       {"Adjustment", coordinate->adjustment},
                       {"Height", coordinate->height}};
  return all;
}

json::value render(const Nack& nack) {
  return typed("nackResp", {{"SeqNo", nack.sequence}});
}

json::value render(const Suspect& message) {
  return typed(
      "suspect",
      {{"Incarnation", message.incarnation}, {"Node", message.node}, {"From", message.from}});
}

json::value render(const Dead& message) {
  return typed(
      "dead",
      {{"Incarnation", message.incarnation}, {"Node", message.node}, {"From", message.from}});
}

json::value render(const Alive& alive) {
  json::object all = typed("alive", {{"Incarnation", alive.incarnation},
                                     {"Node", alive.node},
                                     {"Addr", address(alive.ip)},
                                     {"Port", alive.port},
                                     {"Meta", bytes_or_null(alive.meta)},
                                     {"Vsn", versions(alive.versions)}});
  all["meta"] = meta(alive.meta);
  return all;
}

// --- Serf ------------------------------------------------------------------------------------

json::object serf(std::string_view kind, json::value fields) {
  return {{"serf", json::string_view(kind.data(), kind.size())}, {"fields", std::move(fields)}};
}

json::value render(const LeaveIntent& intent) {
  return serf("leave",
              json::object{{"LTime", intent.time}, {"Node", intent.node}, {"Prune", intent.prune}});
}

json::value render(const JoinIntent& intent) {
  return serf("join", json::object{{"LTime", intent.time}, {"Node", intent.node}});
}

json::value render(const UserEvent& event) {
  return serf("userEvent", json::object{{"LTime", event.time},
                                        {"Name", event.name},
                                        {"Payload", bytes_or_null(event.payload)},
                                        {"CC", event.may_coalesce}});
}

json::value filter_fields(const QueryFilter& filter) {
  if (const auto* nodes = std::get_if<NodeFilter>(&filter)) {
    return {{"kind", "node"}, {"value", json::array(nodes->names.begin(), nodes->names.end())}};
  }
  const auto& tag = std::get<TagFilter>(filter);
  return {{"kind", "tag"}, {"value", {{"Tag", tag.tag}, {"Expr", tag.expression}}}};
}

json::value render(const Query& query) {
  json::array filters;
  for (const std::string& bytes : query.filters) {
    const auto filter = decode_query_filter(bytes);
    EXPECT_TRUE(filter);
    EXPECT_EQ(to_hex(encode(*filter)), to_hex(bytes));
    filters.push_back(filter_fields(*filter));
  }
  json::object all = serf("query", json::object{{"LTime", query.time},
                                                {"ID", query.id},
                                                {"Addr", address(query.ip)},
                                                {"Port", query.port},
                                                {"SourceNode", query.source_node},
                                                {"Flags", query.flags},
                                                {"RelayFactor", query.relay_factor},
                                                {"Timeout", query.timeout.count()},
                                                {"Name", query.name},
                                                {"Payload", bytes_or_null(query.payload)}});
  if (!filters.empty()) all["filters"] = filters;
  if (!query.payload.empty() && query.payload[0] == 7) {
    all["payload_decoded"] = serf_to_json(query.payload);
  }
  return all;
}

json::value render(const QueryResponse& response) {
  json::object all =
      serf("queryResponse", json::object{{"LTime", response.time},
                                         {"ID", response.id},
                                         {"From", response.from},
                                         {"Flags", response.flags},
                                         {"Payload", bytes_or_null(response.payload)}});
  if (!response.payload.empty() && (response.payload[0] == 6 || response.payload[0] == 8)) {
    all["payload_decoded"] = serf_to_json(response.payload);
  }
  return all;
}

json::value render(const Relay& relay) {
  return {{"serf", "relay"},
          {"header",
           {{"DestAddr",
             {{"IP", address(relay.destination.ip)},
              {"Port", relay.destination.port},
              {"Zone", relay.zone}}},
            {"DestName", relay.destination_name}}},
          {"message", serf_to_json(relay.inner)}};
}

json::value slot_fields(const SerfState::EventSlot& slot) {
  json::array events;
  for (const auto& event : slot.events) {
    events.push_back({{"Name", event.name}, {"Payload", bytes_or_null(event.payload)}});
  }
  return {{"LTime", slot.time}, {"Events", events}};
}

json::value ring(const SerfState& state) {
  json::object filled;
  json::array all;
  for (std::size_t i = 0; i < state.events.size(); ++i) {
    all.push_back(state.events[i] ? slot_fields(*state.events[i]) : json::value(nullptr));
    if (state.events[i]) filled[std::to_string(i)] = all.back();
  }
  if (all.size() <= 16) return all;
  return {{"array_length", all.size()}, {"non_null", filled}};
}

json::value render(const SerfState& state) {
  json::object times;
  for (const auto& [name, time] : state.status_times) times[name] = time;
  const json::array left(state.left_members.begin(), state.left_members.end());
  return serf("pushPull", json::object{{"LTime", state.time},
                                       {"StatusLTimes", times},
                                       {"LeftMembers", left},
                                       {"EventLTime", state.event_time},
                                       {"Events", ring(state)},
                                       {"QueryLTime", state.query_time}});
}

json::value render(const std::optional<ConflictResponse>& response) {
  if (!response) return serf("conflictResponse", nullptr);
  const Versions& versions = response->versions;
  return serf("conflictResponse", json::object{{"Name", response->name},
                                               {"Addr", address(response->ip)},
                                               {"Port", response->port},
                                               {"Tags", tags_of(response->tags)},
                                               {"Status", response->status},
                                               {"ProtocolMin", versions.protocol_min},
                                               {"ProtocolMax", versions.protocol_max},
                                               {"ProtocolCur", versions.protocol_current},
                                               {"DelegateMin", versions.delegate_min},
                                               {"DelegateMax", versions.delegate_max},
                                               {"DelegateCur", versions.delegate_current}});
}

json::value render(const KeyRequest& request) {
  return serf("keyRequest", json::object{{"Key", {{"hex", to_hex(request.key)}}}});
}

json::value render(const KeyResponse& response) {
  const json::array keys(response.keys.begin(), response.keys.end());
  return serf("keyResponse",
              json::object{{"Result", response.is_success},
                           {"Message", response.message},
                           {"Keys", keys.empty() ? json::value(nullptr) : json::value(keys)},
                           {"PrimaryKey", response.primary_key}});
}

json::value node_fields(const NodeRecord& node) {
  return {{"Name", node.name},
          {"Addr", address(node.ip)},
          {"Port", node.port},
          {"Meta", bytes_or_null(node.meta)},
          {"Incarnation", node.incarnation},
          {"State", static_cast<int>(node.state)},
          {"Vsn", versions(node.versions)},
          {"_meta", meta(node.meta)}};
}

json::value stream_value(const PushPull& message, bool has_serf) {
  json::array nodes;
  for (const NodeRecord& node : message.nodes) nodes.push_back(node_fields(node));
  json::object all{{"type", "pushPull"},
                   {"header",
                    {{"Join", message.is_join},
                     {"Nodes", message.nodes.size()},
                     {"UserStateLen", message.user_state.size()}}},
                   {"nodes", nodes}};
  all["user_state"] = has_serf && !message.user_state.empty()
                          ? serf_to_json(message.user_state)
                          : json::value(to_hex(message.user_state));
  return all;
}

json::value stream_value(const User& message, bool has_serf) {
  return {
      {"type", "user"},
      {"header", {{"UserMsgLen", message.payload.size()}}},
      {"message", has_serf ? serf_to_json(message.payload) : json::value(to_hex(message.payload))}};
}

json::value stream_value(const RemoteError& error, bool) {
  return typed("err", {{"Error", error.message}});
}

json::value stream_value(const Ping& ping, bool) {
  return render(ping);
}

json::value stream_value(const Ack& ack, bool) {
  return render(ack);
}

template <class T>
json::value rendered(const Result<T>& decoded) {
  EXPECT_TRUE(decoded) << decoded.error().message;
  return decoded ? render(*decoded) : json::value(nullptr);
}

}  // namespace

json::value serf_to_json(std::string_view bytes) {
  switch (bytes.empty() ? 0xff : bytes[0]) {
    case 2: return rendered(decode_serf_state(bytes));
    case 6: return rendered(decode_conflict_response(bytes));
    case 7: return rendered(decode_key_request(bytes));
    case 8: return rendered(decode_key_response(bytes));
    default: break;
  }
  const auto message = decode_serf_message(bytes);
  EXPECT_TRUE(message) << message.error().message;
  if (!message) return nullptr;
  return std::visit([](const auto& one) { return render(one); }, *message);
}

json::value to_json(const Message& message, bool has_serf) {
  if (const auto* user = std::get_if<User>(&message)) {
    if (!has_serf) return {{"type", "user"}, {"payload_hex", to_hex(user->payload)}};
    return {{"type", "user"}, {"message", serf_to_json(user->payload)}};
  }
  return std::visit(
      [](const auto& one) -> json::value {
        if constexpr (std::is_same_v<std::decay_t<decltype(one)>, User>) {
          return nullptr;
        } else {
          return render(one);
        }
      },
      message);
}

json::value to_json(const StreamMessage& message, bool has_serf) {
  return std::visit([&](const auto& one) { return stream_value(one, has_serf); }, message);
}

}  // namespace dkron::gossip::testing_support
