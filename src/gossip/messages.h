// Memberlist's messages: what travels in packets and streams, with its type byte in front.
//
// encode() gives the type byte and a msgpack map with sorted keys, byte for byte what memberlist
// 0.5 writes; decode_message() takes what any version sends. Fields keep the wire's meaning; sizes
// are bounded by the packet that carried them. Source: the gossip specification, sections 3.7
// and 5.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"
#include "gossip/address.h"

namespace dkron::gossip {

enum class MessageType : std::uint8_t {
  Ping = 0,
  IndirectPing = 1,
  Ack = 2,
  Suspect = 3,
  Alive = 4,
  Dead = 5,
  PushPull = 6,
  Compound = 7,
  User = 8,
  Compress = 9,
  Encrypt = 10,
  Nack = 11,
  HasCrc = 12,
  Error = 13,
  HasLabel = 244,
};

// Protocol minimum, maximum and current of memberlist, then of the layer above (Serf). Shorter ones
// crash some peers: always six.
struct Versions {
  std::uint8_t protocol_min = 1;
  std::uint8_t protocol_max = 5;
  std::uint8_t protocol_current = 2;
  std::uint8_t delegate_min = 2;
  std::uint8_t delegate_max = 5;
  std::uint8_t delegate_current = 4;
  friend bool operator==(const Versions&, const Versions&) = default;
};

struct Ping {
  std::uint32_t sequence = 0;
  std::string node;  // Whom it is meant for; empty: whoever listens.
  Ip source_ip;      // Where the ack goes; absent: the datagram's source.
  std::uint16_t source_port = 0;
  std::string source_node;
};

struct IndirectPing {
  std::uint32_t sequence = 0;
  Ip target;
  std::uint16_t port = 0;  // 0: the receiver's own port.
  std::string node;
  bool wants_nack = false;
  Ip source_ip;
  std::uint16_t source_port = 0;
  std::string source_node;
};

struct Ack {
  std::uint32_t sequence = 0;
  std::string payload;  // Empty is nil.
};

struct Nack {
  std::uint32_t sequence = 0;
};

struct Suspect {
  std::uint32_t incarnation = 0;
  std::string node;
  std::string from;
};

struct Alive {
  std::uint32_t incarnation = 0;
  std::string node;
  Ip ip;
  std::uint16_t port = 0;
  std::string meta;
  Versions versions;
};

// From == node: it left on purpose.
struct Dead {
  std::uint32_t incarnation = 0;
  std::string node;
  std::string from;
};

// A packet's user message: everything behind the type byte belongs to the layer above.
struct User {
  std::string payload;
};

using Message = std::variant<Ping, IndirectPing, Ack, Nack, Suspect, Alive, Dead, User>;

std::string encode(const Ping& message);
std::string encode(const IndirectPing& message);
std::string encode(const Ack& message);
std::string encode(const Nack& message);
std::string encode(const Suspect& message);
std::string encode(const Alive& message);
std::string encode(const Dead& message);
std::string encode(const User& message);

// One message of a packet with its type byte; framing is packet.h's. Corrupt when it is malformed,
// has an unknown type, or is an alive whose versions are not six bytes or not sane.
Result<Message> decode_message(std::string_view bytes);

enum class NodeState : std::uint8_t { Alive = 0, Suspect = 1, Dead = 2, Left = 3 };

// One node of a push/pull exchange.
struct NodeRecord {
  std::string name;
  Ip ip;
  std::uint16_t port = 0;
  std::string meta;
  std::uint32_t incarnation = 0;
  NodeState state = NodeState::Alive;
  Versions versions;
  bool has_versions = true;  // False: the remote sent none; counts as all zero.
};

struct PushPull {
  bool is_join = false;
  std::vector<NodeRecord> nodes;  // The sender itself among them.
  std::string user_state;         // Serf's (serf_messages.h); may be empty.
};

struct RemoteError {
  std::string message;
};

// A stream's message. A stream's user message (a length in front) is a User too.
using StreamMessage = std::variant<PushPull, Ping, Ack, User, RemoteError>;

std::string encode_stream(const StreamMessage& message);

}  // namespace dkron::gossip
