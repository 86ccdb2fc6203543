#include "gossip/messages.h"

#include "gossip/fields.h"

namespace dkron::gossip {
namespace {

std::string begin(MessageType type) {
  return std::string(1, static_cast<char>(type));
}

// The sender's own address, each part left out when it is not known.
std::size_t count_source(const Ip& ip, std::uint16_t port, const std::string& node) {
  return (ip.is_absent() ? 0u : 1u) + (port == 0 ? 0u : 1u) + (node.empty() ? 0u : 1u);
}

void write_source(FieldWriter& out, const Ip& ip, std::uint16_t port, const std::string& node) {
  if (!ip.is_absent()) out.raw("SourceAddr", ip.wire());
  if (!node.empty()) out.raw("SourceNode", node);
  if (port != 0) out.number("SourcePort", port);
}

// Suspect and dead have the same fields.
template <class Accusation>
std::string encode_accusation(MessageType type, const Accusation& message) {
  std::string bytes = begin(type);
  FieldWriter out(bytes, 3);
  out.raw("From", message.from);
  out.number("Incarnation", message.incarnation);
  out.raw("Node", message.node);
  return bytes;
}

}  // namespace

std::string encode(const Ping& message) {
  std::string bytes = begin(MessageType::Ping);
  FieldWriter out(bytes,
                  2 + count_source(message.source_ip, message.source_port, message.source_node));
  out.raw("Node", message.node);
  out.number("SeqNo", message.sequence);
  write_source(out, message.source_ip, message.source_port, message.source_node);
  return bytes;
}

std::string encode(const IndirectPing& message) {
  std::string bytes = begin(MessageType::IndirectPing);
  FieldWriter out(bytes,
                  5 + count_source(message.source_ip, message.source_port, message.source_node));
  out.boolean("Nack", message.wants_nack);
  out.raw("Node", message.node);
  out.number("Port", message.port);
  out.number("SeqNo", message.sequence);
  write_source(out, message.source_ip, message.source_port, message.source_node);
  out.raw_or_nil("Target", message.target.wire());
  return bytes;
}

std::string encode(const Ack& message) {
  std::string bytes = begin(MessageType::Ack);
  FieldWriter out(bytes, 2);
  out.raw_or_nil("Payload", message.payload);
  out.number("SeqNo", message.sequence);
  return bytes;
}

std::string encode(const Nack& message) {
  std::string bytes = begin(MessageType::Nack);
  FieldWriter(bytes, 1).number("SeqNo", message.sequence);
  return bytes;
}

std::string encode(const Suspect& message) {
  return encode_accusation(MessageType::Suspect, message);
}

std::string encode(const Alive& message) {
  std::string bytes = begin(MessageType::Alive);
  std::array<char, 6> versions;
  FieldWriter out(bytes, 6);
  out.raw_or_nil("Addr", message.ip.wire());
  out.number("Incarnation", message.incarnation);
  out.raw_or_nil("Meta", message.meta);
  out.raw("Node", message.node);
  out.number("Port", message.port);
  out.raw("Vsn", as_bytes(message.versions, versions));
  return bytes;
}

std::string encode(const Dead& message) {
  return encode_accusation(MessageType::Dead, message);
}

std::string encode(const User& message) {
  return begin(MessageType::User) + message.payload;
}

// --- Decoding --------------------------------------------------------------------------------

namespace {

Result<Message> decode_ping(MsgpackReader in) {
  Ping ping;
  bool is_sane = true;
  read_fields(in, [&](std::string_view key) {
    if (key == "SeqNo") return read_number(in, ping.sequence);
    if (key == "Node") return read_text(in, ping.node);
    if (key == "SourceAddr") return read_ip(in, ping.source_ip, is_sane);
    if (key == "SourcePort") return read_number(in, ping.source_port);
    if (key == "SourceNode") return read_text(in, ping.source_node);
    return false;
  });
  if (auto read = read_result(in, "ping", is_sane); !read) return fail(read.error());
  return ping;
}

Result<Message> decode_indirect_ping(MsgpackReader in) {
  IndirectPing ping;
  bool is_sane = true;
  read_fields(in, [&](std::string_view key) {
    if (key == "SeqNo") return read_number(in, ping.sequence);
    if (key == "Target") return read_ip(in, ping.target, is_sane);
    if (key == "Port") return read_number(in, ping.port);
    if (key == "Node") return read_text(in, ping.node);
    if (key == "Nack") return read_boolean(in, ping.wants_nack);
    if (key == "SourceAddr") return read_ip(in, ping.source_ip, is_sane);
    if (key == "SourcePort") return read_number(in, ping.source_port);
    if (key == "SourceNode") return read_text(in, ping.source_node);
    return false;
  });
  if (auto read = read_result(in, "indirect ping", is_sane); !read) return fail(read.error());
  return ping;
}

Result<Message> decode_ack(MsgpackReader in) {
  Ack ack;
  read_fields(in, [&](std::string_view key) {
    if (key == "SeqNo") return read_number(in, ack.sequence);
    if (key == "Payload") return read_bytes(in, ack.payload);
    return false;
  });
  if (auto read = read_result(in, "ack"); !read) return fail(read.error());
  return ack;
}

Result<Message> decode_nack(MsgpackReader in) {
  Nack nack;
  read_fields(
      in, [&](std::string_view key) { return key == "SeqNo" && read_number(in, nack.sequence); });
  if (auto read = read_result(in, "nack"); !read) return fail(read.error());
  return nack;
}

template <class Accusation>
Result<Message> decode_accusation(MsgpackReader in, std::string_view what) {
  Accusation message;
  read_fields(in, [&](std::string_view key) {
    if (key == "Incarnation") return read_number(in, message.incarnation);
    if (key == "Node") return read_text(in, message.node);
    if (key == "From") return read_text(in, message.from);
    return false;
  });
  if (auto read = read_result(in, what); !read) return fail(read.error());
  return message;
}

// What peers ignore, and what is passed on would crash some of them.
Result<Versions> sane_versions(std::string_view bytes) {
  const auto versions = versions_from(bytes);
  if (!versions) {
    return fail(ErrorCode::Corrupt,
                "alive: " + std::to_string(bytes.size()) + " bytes of versions instead of 6");
  }
  if (versions->protocol_min == 0 || versions->protocol_max == 0 ||
      versions->protocol_min > versions->protocol_max) {
    return fail(ErrorCode::Corrupt, "alive: protocol versions from " +
                                        std::to_string(versions->protocol_min) + " to " +
                                        std::to_string(versions->protocol_max) + " make no sense");
  }
  return *versions;
}

Result<Message> decode_alive(MsgpackReader in) {
  Alive alive;
  std::string version_bytes;
  bool is_sane = true;
  read_fields(in, [&](std::string_view key) {
    if (key == "Incarnation") return read_number(in, alive.incarnation);
    if (key == "Node") return read_text(in, alive.node);
    if (key == "Addr") return read_ip(in, alive.ip, is_sane);
    if (key == "Port") return read_number(in, alive.port);
    if (key == "Meta") return read_bytes(in, alive.meta);
    if (key == "Vsn") return read_bytes(in, version_bytes);
    return false;
  });
  if (auto read = read_result(in, "alive", is_sane); !read) return fail(read.error());
  auto versions = sane_versions(version_bytes);
  if (!versions) return fail(versions.error());
  alive.versions = *versions;
  return alive;
}

}  // namespace

Result<Message> decode_message(std::string_view bytes) {
  if (bytes.empty()) return fail(ErrorCode::Corrupt, "message without a type");
  const std::string_view body = bytes.substr(1);
  const auto type = static_cast<std::uint8_t>(bytes[0]);
  switch (static_cast<MessageType>(type)) {
    case MessageType::Ping: return decode_ping(MsgpackReader(body));
    case MessageType::IndirectPing: return decode_indirect_ping(MsgpackReader(body));
    case MessageType::Ack: return decode_ack(MsgpackReader(body));
    case MessageType::Nack: return decode_nack(MsgpackReader(body));
    case MessageType::Suspect: return decode_accusation<Suspect>(MsgpackReader(body), "suspect");
    case MessageType::Alive: return decode_alive(MsgpackReader(body));
    case MessageType::Dead: return decode_accusation<Dead>(MsgpackReader(body), "dead");
    case MessageType::User: return User{std::string(body)};
    default: break;
  }
  return fail(ErrorCode::Corrupt, "message type " + std::to_string(type) + " is none of packets");
}

}  // namespace dkron::gossip
