// The commands of Peer, with their arguments:
//
//   join        addresses: ["127.0.0.1:4711"], ignore_old: bool      -> joined
//   leave                                                             answered, then the end
//   tags        tags: {"role": "x"}                                   answered when told to others
//   event       name, payload, coalesce: bool
//   query       name, payload, ack: bool, relay: number, timeout_ms, nodes: ["a"],
//               filter_tags: {"role": "regular expression"}           -> acks: [], responses: {}
//   force-leave name, prune: bool
//   keys        action: install|use|remove|list, key                  -> members, responses,
//   errors,
//                                                                     messages, keys, primary_keys
//   members                                                           -> members: [], nodes: []
//   rtt         a, b                                                  -> seconds or null
//   counters                                                          -> one number each
//   drop        address or "*"     packets from and to it are lost; connections are not
//   undrop      address or "*"
#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <cstdio>
#include <memory>
#include <unordered_map>

#include "peer.h"

namespace dkron::serf_peer {

namespace json = boost::json;

namespace {

std::string text(const json::object& arguments, std::string_view key) {
  const json::value* value = arguments.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

bool is_set(const json::object& arguments, std::string_view key) {
  const json::value* value = arguments.if_contains(key);
  return value != nullptr && value->is_bool() && value->get_bool();
}

std::int64_t number(const json::object& arguments, std::string_view key) {
  const json::value* value = arguments.if_contains(key);
  return value != nullptr && value->is_int64() ? value->get_int64() : 0;
}

std::vector<std::string> texts(const json::object& arguments, std::string_view key) {
  std::vector<std::string> result;
  const json::value* value = arguments.if_contains(key);
  if (value == nullptr || !value->is_array()) return result;
  for (const json::value& item : value->get_array()) {
    if (item.is_string()) result.emplace_back(item.get_string());
  }
  return result;
}

gossip::Tags tags(const json::object& arguments, std::string_view key) {
  gossip::Tags result;
  const json::value* value = arguments.if_contains(key);
  if (value == nullptr || !value->is_object()) return result;
  for (const auto& [tag, item] : value->get_object()) {
    if (item.is_string()) result[std::string(tag)] = std::string(item.get_string());
  }
  return result;
}

// The numeric form only.
std::optional<gossip::Endpoint> endpoint(std::string_view address) {
  const std::size_t colon = address.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto ip = gossip::Ip::parse(address.substr(0, colon));
  unsigned port = 0;
  const std::string digits(address.substr(colon + 1));
  if (!ip || std::sscanf(digits.c_str(), "%u", &port) != 1 || port > 0xffff) return std::nullopt;
  return gossip::Endpoint{*ip, static_cast<std::uint16_t>(port)};
}

Result<gossip::Endpoint> find_endpoint(std::string_view address) {
  if (const auto found = endpoint(address)) return *found;
  return fail(ErrorCode::InvalidArgument, "no address: " + std::string(address));
}

template <class Map>
json::object to_object(const Map& map) {
  json::object result;
  for (const auto& [key, value] : map) result[key] = value;
  return result;
}

}  // namespace

Peer::Command Peer::find_command(std::string_view word) {
  static const std::unordered_map<std::string_view, Command> commands = {
      {"join", &Peer::join},           {"leave", &Peer::leave},
      {"tags", &Peer::set_tags},       {"event", &Peer::send_event},
      {"query", &Peer::send_query},    {"force-leave", &Peer::force_leave},
      {"keys", &Peer::manage_keys},    {"members", &Peer::show_members},
      {"rtt", &Peer::show_round_trip}, {"counters", &Peer::show_counters},
      {"drop", &Peer::drop},           {"undrop", &Peer::undrop},
  };
  const auto found = commands.find(word);
  return found == commands.end() ? nullptr : found->second;
}

void Peer::join(Id id, const Arguments& arguments) {
  std::vector<gossip::Endpoint> endpoints;
  for (const std::string& address : texts(arguments, "addresses")) {
    const auto found = find_endpoint(address);
    if (!found) return answer(id, fail(found.error()));
    endpoints.push_back(*found);
  }
  service_->serf().join(endpoints, is_set(arguments, "ignore_old"),
                        [this, id](const Result<std::size_t>& joined) {
                          if (!joined) return answer(id, fail(joined.error()));
                          answer(id, json::object{{"joined", *joined}});
                        });
}

void Peer::leave(Id id, const Arguments&) {
  service_->serf().leave([this, id](const Result<>& left) {
    answer(id, left);
    end(0);
  });
}

void Peer::set_tags(Id id, const Arguments& arguments) {
  const Result<> set = service_->serf().set_tags(
      tags(arguments, "tags"), [this, id](const Result<>& told) { answer(id, told); });
  if (!set) answer(id, set);
}

void Peer::send_event(Id id, const Arguments& arguments) {
  answer(id, service_->serf().send_event(text(arguments, "name"), text(arguments, "payload"),
                                         is_set(arguments, "coalesce")));
}

void Peer::send_query(Id id, const Arguments& arguments) {
  gossip::QueryOptions options;
  options.wants_ack = is_set(arguments, "ack");
  options.relay_factor = static_cast<std::uint8_t>(number(arguments, "relay"));
  options.timeout = milliseconds(number(arguments, "timeout_ms"));
  if (const auto nodes = texts(arguments, "nodes"); !nodes.empty()) {
    options.filters.emplace_back(gossip::NodeFilter{nodes});
  }
  for (const auto& [tag, expression] : tags(arguments, "filter_tags")) {
    options.filters.emplace_back(gossip::TagFilter{tag, expression});
  }
  struct Answers {
    json::array acks;
    json::object responses;
  };
  const auto answers = std::make_shared<Answers>();
  gossip::QueryHandlers handlers;
  handlers.on_ack = [answers](const std::string& from) { answers->acks.emplace_back(from); };
  handlers.on_response = [answers](const std::string& from, std::string_view payload) {
    answers->responses[from] = std::string(payload);
  };
  handlers.on_done = [this, id, answers] {
    answer(id, json::object{{"acks", answers->acks}, {"responses", answers->responses}});
  };
  const Result<> sent = service_->serf().send_query(
      text(arguments, "name"), text(arguments, "payload"), options, std::move(handlers));
  if (!sent) answer(id, sent);
}

void Peer::force_leave(Id id, const Arguments& arguments) {
  answer(id, service_->serf().force_leave(text(arguments, "name"), is_set(arguments, "prune")));
}

void Peer::manage_keys(Id id, const Arguments& arguments) {
  const auto action =
      gossip::find_key_action("_serf_" + text(arguments, "action") +
                              (text(arguments, "action") == "list" ? "-keys" : "-key"));
  if (!action) return answer(id, fail(ErrorCode::InvalidArgument, "no such action"));
  const Result<> asked = service_->serf().manage_keys(
      *action, text(arguments, "key"), [this, id](const gossip::KeyReport& report) {
        answer(id, json::object{{"members", report.members},
                                {"responses", report.responses},
                                {"errors", report.errors},
                                {"messages", to_object(report.messages)},
                                {"keys", to_object(report.keys)},
                                {"primary_keys", to_object(report.primary_keys)}});
      });
  if (!asked) answer(id, asked);
}

// `members` is Serf's view, `nodes` the memberlist's table.
void Peer::show_members(Id id, const Arguments&) {
  json::array members;
  for (const gossip::Member& member : service_->serf().members()) {
    members.push_back(to_json(member));
  }
  json::array nodes;
  for (const auto& node : service_->serf().memberlist().nodes().nodes()) {
    nodes.push_back({{"name", node->record.name},
                     {"address", node->endpoint().to_string()},
                     {"state", static_cast<int>(node->record.state)},
                     {"incarnation", node->record.incarnation}});
  }
  answer(id, json::object{{"members", members}, {"nodes", nodes}});
}

void Peer::show_round_trip(Id id, const Arguments& arguments) {
  const auto trip = service_->serf().round_trip(text(arguments, "a"), text(arguments, "b"));
  json::object line{{"seconds", nullptr}};
  if (trip) line["seconds"] = std::chrono::duration<double>(*trip).count();
  answer(id, line);
}

void Peer::show_counters(Id id, const Arguments&) {
  const gossip::Serf& serf = service_->serf();
  const gossip::Memberlist::Counters& list = serf.memberlist().counters();
  const gossip::Serf::Counters& counters = serf.counters();
  using Kind = gossip::SerfBroadcasts::Kind;
  answer(id, json::object{{"packets_in", list.packets_in},
                          {"packets_out", list.packets_out},
                          {"packets_dropped", list.packets_dropped},
                          {"messages_dropped", list.messages_dropped},
                          {"suspicions", list.suspicions},
                          {"deaths", list.deaths},
                          {"refutations", list.refutations},
                          {"health_score", serf.memberlist().health_score()},
                          {"serf_messages_dropped", counters.messages_dropped},
                          {"coordinates_refused", counters.coordinates_refused},
                          {"events", counters.events},
                          {"queries", counters.queries},
                          {"name_conflicts", counters.name_conflicts},
                          {"intents_waiting", serf.waiting(Kind::Intent)},
                          {"events_waiting", serf.waiting(Kind::Event)},
                          {"queries_waiting", serf.waiting(Kind::Query)}});
}

void Peer::drop(Id id, const Arguments& arguments) {
  const std::string address = text(arguments, "address");
  if (address == "*") {
    drops_all_ = true;
    return answer(id);
  }
  const auto found = find_endpoint(address);
  if (!found) return answer(id, fail(found.error()));
  dropped_.insert(*found);
  answer(id);
}

void Peer::undrop(Id id, const Arguments& arguments) {
  const std::string address = text(arguments, "address");
  if (address == "*") {
    drops_all_ = false;
    dropped_.clear();
    return answer(id);
  }
  const auto found = find_endpoint(address);
  if (!found) return answer(id, fail(found.error()));
  dropped_.erase(*found);
  answer(id);
}

}  // namespace dkron::serf_peer
