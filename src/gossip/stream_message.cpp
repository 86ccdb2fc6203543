#include "gossip/stream_message.h"

#include "gossip/compress.h"
#include "gossip/fields.h"
#include "gossip/stream.h"

namespace dkron::gossip {
namespace {

void write_node(std::string& bytes, const NodeRecord& node) {
  std::array<char, 6> versions;
  FieldWriter out(bytes, 7);
  out.raw_or_nil("Addr", node.ip.wire());
  out.number("Incarnation", node.incarnation);
  out.raw_or_nil("Meta", node.meta);
  out.raw("Name", node.name);
  out.number("Port", node.port);
  out.signed_number("State", static_cast<int>(node.state));
  out.raw_or_nil("Vsn", node.has_versions ? as_bytes(node.versions, versions) : "");
}

std::string encode_push_pull(const PushPull& message) {
  std::string bytes(1, static_cast<char>(MessageType::PushPull));
  FieldWriter out(bytes, 3);
  out.boolean("Join", message.is_join);
  out.signed_number("Nodes", static_cast<std::int64_t>(message.nodes.size()));
  out.signed_number("UserStateLen", static_cast<std::int64_t>(message.user_state.size()));
  for (const NodeRecord& node : message.nodes) write_node(bytes, node);
  return bytes + message.user_state;
}

std::string encode_user(const User& message) {
  std::string bytes(1, static_cast<char>(MessageType::User));
  const auto size = static_cast<std::int64_t>(message.payload.size());
  FieldWriter(bytes, 1).signed_number("UserMsgLen", size);
  return bytes + message.payload;
}

std::string encode_error(const RemoteError& error) {
  std::string bytes(1, static_cast<char>(MessageType::Error));
  FieldWriter(bytes, 1).raw("Error", error.message);
  return bytes;
}

}  // namespace

std::string encode_stream(const StreamMessage& message) {
  if (const auto* push_pull = std::get_if<PushPull>(&message)) return encode_push_pull(*push_pull);
  if (const auto* ping = std::get_if<Ping>(&message)) return encode(*ping);
  if (const auto* ack = std::get_if<Ack>(&message)) return encode(*ack);
  if (const auto* user = std::get_if<User>(&message)) return encode_user(*user);
  return encode_error(std::get<RemoteError>(message));
}

// --- Reading ---------------------------------------------------------------------------------

namespace {

struct PushPullHeader {
  std::int64_t nodes = 0;
  std::int64_t user_state_bytes = 0;
  bool is_join = false;
};

bool is_within(std::int64_t number, std::size_t most) {
  return number >= 0 && static_cast<std::size_t>(number) <= most;
}

Result<PushPullHeader> decode_header(std::string_view value) {
  MsgpackReader in(value);
  PushPullHeader header;
  read_fields(in, [&](std::string_view key) {
    if (key == "Nodes") return read_signed(in, header.nodes);
    if (key == "UserStateLen") return read_signed(in, header.user_state_bytes);
    if (key == "Join") return read_boolean(in, header.is_join);
    return false;
  });
  if (auto read = read_result(in, "push/pull header"); !read) return fail(read.error());
  if (!is_within(header.nodes, kMaxStreamNodes)) {
    return fail(ErrorCode::TooLarge,
                "number of nodes in header (" + std::to_string(header.nodes) + ") exceeds limit");
  }
  if (!is_within(header.user_state_bytes, kMaxStreamBytes)) {
    return fail(
        ErrorCode::TooLarge,
        "user state length (" + std::to_string(header.user_state_bytes) + ") exceeds limit");
  }
  return header;
}

// Versions of another length would crash peers that we passed them on to.
Result<> set_versions(NodeRecord& node, std::string_view bytes) {
  const auto versions = versions_from(bytes);
  node.has_versions = !bytes.empty();
  node.versions = versions.value_or(Versions{0, 0, 0, 0, 0, 0});
  if (versions || bytes.empty()) return {};
  return fail(ErrorCode::Corrupt,
              "node: " + std::to_string(bytes.size()) + " bytes of versions instead of 6");
}

Result<NodeRecord> decode_node(std::string_view value) {
  MsgpackReader in(value);
  NodeRecord node;
  std::string version_bytes;
  std::int64_t state = 0;
  bool is_sane = true;
  read_fields(in, [&](std::string_view key) {
    if (key == "Name") return read_text(in, node.name);
    if (key == "Addr") return read_ip(in, node.ip, is_sane);
    if (key == "Port") return read_number(in, node.port);
    if (key == "Meta") return read_bytes(in, node.meta);
    if (key == "Incarnation") return read_number(in, node.incarnation);
    if (key == "State") return read_signed(in, state);
    if (key == "Vsn") return read_bytes(in, version_bytes);
    return false;
  });
  if (auto read = read_result(in, "node", is_sane); !read) return fail(read.error());
  if (!is_within(state, static_cast<std::size_t>(NodeState::Left))) {
    return fail(ErrorCode::Corrupt, "node: unknown state " + std::to_string(state));
  }
  node.state = static_cast<NodeState>(state);
  if (auto set = set_versions(node, version_bytes); !set) return fail(set.error());
  return node;
}

Result<RemoteError> decode_error(std::string_view value) {
  MsgpackReader in(value);
  RemoteError error;
  read_fields(in,
              [&](std::string_view key) { return key == "Error" && read_text(in, error.message); });
  if (auto read = read_result(in, "error"); !read) return fail(read.error());
  return error;
}

Result<std::size_t> decode_user_size(std::string_view value) {
  MsgpackReader in(value);
  std::int64_t size = 0;
  read_fields(in,
              [&](std::string_view key) { return key == "UserMsgLen" && read_signed(in, size); });
  if (auto read = read_result(in, "user message"); !read) return fail(read.error());
  if (!is_within(size, kMaxStreamBytes)) {
    return fail(ErrorCode::TooLarge,
                "user message length (" + std::to_string(size) + ") exceeds limit");
  }
  return static_cast<std::size_t>(size);
}

}  // namespace

// The value at position_ once it is whole, and goes on behind it.
Result<std::optional<std::string_view>> StreamMessageParser::next_value(std::string_view bytes) {
  const std::string_view behind = bytes.substr(position_);
  switch (scanner_.scan(behind)) {
    case codec::MsgpackScanner::Status::NeedsMore: return std::nullopt;
    case codec::MsgpackScanner::Status::Malformed:
      return fail(ErrorCode::Corrupt, "stream: no value at byte " + std::to_string(position_));
    case codec::MsgpackScanner::Status::Complete: break;
  }
  const std::string_view value = behind.substr(0, scanner_.size_bytes());
  position_ += value.size();
  scanner_ = codec::MsgpackScanner();
  return value;
}

std::optional<std::string_view> StreamMessageParser::tail(std::string_view bytes) const {
  if (bytes.size() - position_ < tail_bytes_) return std::nullopt;
  return bytes.substr(position_, tail_bytes_);
}

Result<std::optional<StreamMessage>> StreamMessageParser::parse(std::string_view bytes) {
  if (bytes.empty()) return std::nullopt;
  const auto type = static_cast<std::uint8_t>(bytes[0]);
  switch (static_cast<MessageType>(type)) {
    case MessageType::Ping:
    case MessageType::Ack:
    case MessageType::Error: return parse_simple(bytes);
    case MessageType::PushPull: return parse_push_pull(bytes);
    case MessageType::User: return parse_user(bytes);
    case MessageType::Compress:
      if (compression_ == Compression::Allowed) return parse_compressed(bytes);
      break;
    default: break;
  }
  return fail(ErrorCode::Corrupt, "message type " + std::to_string(type) + " is none of streams");
}

Result<std::optional<StreamMessage>> StreamMessageParser::parse_simple(std::string_view bytes) {
  const auto value = next_value(bytes);
  if (!value) return fail(value.error());
  if (!*value) return std::nullopt;
  if (static_cast<MessageType>(bytes[0]) == MessageType::Error) {
    auto error = decode_error(**value);
    if (!error) return fail(error.error());
    return std::move(*error);
  }
  auto message = decode_message(bytes.substr(0, position_));
  if (!message) return fail(message.error());
  if (auto* ping = std::get_if<Ping>(&*message)) return std::move(*ping);
  return std::move(std::get<Ack>(*message));
}

Result<std::optional<StreamMessage>> StreamMessageParser::parse_compressed(std::string_view bytes) {
  const auto value = next_value(bytes);
  if (!value) return fail(value.error());
  if (!*value) return std::nullopt;
  const auto plain = decompress(**value, kMaxStreamPlainBytes);
  if (!plain) return fail(plain.error());
  auto message = StreamMessageParser(Compression::Refused).parse(*plain);
  if (message && !*message) return fail(ErrorCode::Corrupt, "compressed stream ends early");
  return message;
}

Result<std::optional<StreamMessage>> StreamMessageParser::parse_user(std::string_view bytes) {
  if (!has_header_) {
    const auto value = next_value(bytes);
    if (!value) return fail(value.error());
    if (!*value) return std::nullopt;
    const auto size = decode_user_size(**value);
    if (!size) return fail(size.error());
    tail_bytes_ = *size;
    has_header_ = true;
  }
  const auto payload = tail(bytes);
  if (!payload) return std::nullopt;
  return User{std::string(*payload)};
}

Result<std::optional<StreamMessage>> StreamMessageParser::parse_push_pull(std::string_view bytes) {
  if (!has_header_) {
    const auto value = next_value(bytes);
    if (!value) return fail(value.error());
    if (!*value) return std::nullopt;
    const auto header = decode_header(**value);
    if (!header) return fail(header.error());
    push_pull_.is_join = header->is_join;
    nodes_left_ = static_cast<std::size_t>(header->nodes);
    tail_bytes_ = static_cast<std::size_t>(header->user_state_bytes);
    has_header_ = true;
  }
  for (; nodes_left_ > 0; --nodes_left_) {
    const auto value = next_value(bytes);
    if (!value) return fail(value.error());
    if (!*value) return std::nullopt;
    auto node = decode_node(**value);
    if (!node) return fail(node.error());
    push_pull_.nodes.push_back(std::move(*node));
  }
  const auto user_state = tail(bytes);
  if (!user_state) return std::nullopt;
  push_pull_.user_state = *user_state;
  return std::move(push_pull_);
}

}  // namespace dkron::gossip
