#include "gossip/serf_messages.h"

#include "gossip/fields.h"
#include "gossip/serf_types.h"

namespace dkron::gossip {
namespace {

std::string begin(SerfType type) {
  return std::string(1, static_cast<char>(type));
}

}  // namespace

std::string encode(const LeaveIntent& message) {
  std::string bytes = begin(SerfType::Leave);
  FieldWriter out(bytes, 3);
  out.number("LTime", message.time);
  out.raw("Node", message.node);
  out.boolean("Prune", message.prune);
  return bytes;
}

std::string encode(const JoinIntent& message) {
  std::string bytes = begin(SerfType::Join);
  FieldWriter out(bytes, 2);
  out.number("LTime", message.time);
  out.raw("Node", message.node);
  return bytes;
}

std::string encode(const UserEvent& message) {
  std::string bytes = begin(SerfType::UserEvent);
  FieldWriter out(bytes, 4);
  out.boolean("CC", message.may_coalesce);
  out.number("LTime", message.time);
  out.raw("Name", message.name);
  out.raw_or_nil("Payload", message.payload);
  return bytes;
}

std::string encode(const Query& message) {
  std::string bytes = begin(SerfType::Query);
  FieldWriter out(bytes, 11);
  out.raw_or_nil("Addr", message.ip.wire());
  MsgpackWriter& filters = out.at("Filters");
  if (message.filters.empty()) {
    filters.nil();
  } else {
    filters.list(message.filters.size());
    for (const std::string& filter : message.filters) filters.raw(filter);
  }
  out.number("Flags", message.flags);
  out.number("ID", message.id);
  out.number("LTime", message.time);
  out.raw("Name", message.name);
  out.raw_or_nil("Payload", message.payload);
  out.number("Port", message.port);
  out.number("RelayFactor", message.relay_factor);
  out.raw("SourceNode", message.source_node);
  out.signed_number("Timeout", message.timeout.count());
  return bytes;
}

std::string encode(const QueryResponse& message) {
  std::string bytes = begin(SerfType::QueryResponse);
  FieldWriter out(bytes, 5);
  out.number("Flags", message.flags);
  out.raw("From", message.from);
  out.number("ID", message.id);
  out.number("LTime", message.time);
  out.raw_or_nil("Payload", message.payload);
  return bytes;
}

std::string encode(const Relay& message) {
  std::string bytes = begin(SerfType::Relay);
  FieldWriter out(bytes, 2);
  out.at("DestAddr");
  FieldWriter address(bytes, 3);
  address.raw_or_nil("IP", message.destination.ip.wire());
  address.signed_number("Port", message.destination.port);
  address.raw("Zone", message.zone);
  out.raw("DestName", message.destination_name);
  return bytes + message.inner;
}

// --- Decoding --------------------------------------------------------------------------------

namespace {

Result<SerfMessage> decode_leave(MsgpackReader in) {
  LeaveIntent intent;
  read_fields(in, [&](std::string_view key) {
    if (key == "LTime") return read_number(in, intent.time);
    if (key == "Node") return read_text(in, intent.node);
    if (key == "Prune") return read_boolean(in, intent.prune);
    return false;
  });
  if (auto read = read_result(in, "leave intent"); !read) return fail(read.error());
  return intent;
}

Result<SerfMessage> decode_join(MsgpackReader in) {
  JoinIntent intent;
  read_fields(in, [&](std::string_view key) {
    if (key == "LTime") return read_number(in, intent.time);
    if (key == "Node") return read_text(in, intent.node);
    return false;
  });
  if (auto read = read_result(in, "join intent"); !read) return fail(read.error());
  return intent;
}

Result<SerfMessage> decode_user_event(MsgpackReader in) {
  UserEvent event;
  read_fields(in, [&](std::string_view key) {
    if (key == "LTime") return read_number(in, event.time);
    if (key == "Name") return read_text(in, event.name);
    if (key == "Payload") return read_bytes(in, event.payload);
    if (key == "CC") return read_boolean(in, event.may_coalesce);
    return false;
  });
  if (auto read = read_result(in, "user event"); !read) return fail(read.error());
  return event;
}

bool read_filters(MsgpackReader& in, std::vector<std::string>& filters) {
  filters.clear();
  const std::size_t count = in.list();
  for (std::size_t i = 0; i < count && !in.failed(); ++i) filters.push_back(in.bytes());
  return true;
}

bool read_duration(MsgpackReader& in, Duration& out) {
  out = Duration(in.signed_number());
  return true;
}

Result<SerfMessage> decode_query(MsgpackReader in) {
  Query query;
  bool is_sane = true;
  read_fields(in, [&](std::string_view key) {
    if (key == "LTime") return read_number(in, query.time);
    if (key == "ID") return read_number(in, query.id);
    if (key == "Addr") return read_ip(in, query.ip, is_sane);
    if (key == "Port") return read_number(in, query.port);
    if (key == "SourceNode") return read_text(in, query.source_node);
    if (key == "Filters") return read_filters(in, query.filters);
    if (key == "Flags") return read_number(in, query.flags);
    if (key == "RelayFactor") return read_number(in, query.relay_factor);
    if (key == "Timeout") return read_duration(in, query.timeout);
    if (key == "Name") return read_text(in, query.name);
    if (key == "Payload") return read_bytes(in, query.payload);
    return false;
  });
  if (auto read = read_result(in, "query", is_sane); !read) return fail(read.error());
  return query;
}

Result<SerfMessage> decode_query_response(MsgpackReader in) {
  QueryResponse response;
  read_fields(in, [&](std::string_view key) {
    if (key == "LTime") return read_number(in, response.time);
    if (key == "ID") return read_number(in, response.id);
    if (key == "From") return read_text(in, response.from);
    if (key == "Flags") return read_number(in, response.flags);
    if (key == "Payload") return read_bytes(in, response.payload);
    return false;
  });
  if (auto read = read_result(in, "query response"); !read) return fail(read.error());
  return response;
}

bool read_destination(MsgpackReader& in, Relay& relay, bool& is_sane) {
  read_fields(in, [&](std::string_view key) {
    if (key == "IP") return read_ip(in, relay.destination.ip, is_sane);
    if (key == "Port") return read_number(in, relay.destination.port);
    if (key == "Zone") return read_text(in, relay.zone);
    return false;
  });
  return true;
}

Result<SerfMessage> decode_relay(MsgpackReader in) {
  Relay relay;
  bool is_sane = true;
  read_fields(in, [&](std::string_view key) {
    if (key == "DestAddr") return read_destination(in, relay, is_sane);
    if (key == "DestName") return read_text(in, relay.destination_name);
    return false;
  });
  if (auto read = read_result(in, "relay", is_sane); !read) return fail(read.error());
  relay.inner = in.rest();
  if (relay.inner.empty()) return fail(ErrorCode::Corrupt, "relay: nothing to pass on");
  return relay;
}

}  // namespace

Result<SerfMessage> decode_serf_message(std::string_view bytes) {
  if (bytes.empty()) return fail(ErrorCode::Corrupt, "Serf message without a type");
  const MsgpackReader in(bytes.substr(1));
  const auto type = static_cast<std::uint8_t>(bytes[0]);
  switch (static_cast<SerfType>(type)) {
    case SerfType::Leave: return decode_leave(in);
    case SerfType::Join: return decode_join(in);
    case SerfType::UserEvent: return decode_user_event(in);
    case SerfType::Query: return decode_query(in);
    case SerfType::QueryResponse: return decode_query_response(in);
    case SerfType::Relay: return decode_relay(in);
    default: break;
  }
  return fail(ErrorCode::Corrupt, "Serf message type " + std::to_string(type) + " is not gossiped");
}

}  // namespace dkron::gossip
