// Framing of datagrams: label, encryption, checksum, compression, compound; from outside in.
//
// open_packet() peels what arrived down to single messages, seal_packet() wraps them for the wire.
// Both are pure but for nonces. Limits: kMaxPlainBytes of decompressed bytes in all of a packet,
// kMaxNesting levels of compound and compression, kMaxPacketMessages messages. Source: the gossip
// specification, section 3.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "gossip/keyring.h"

namespace dkron::gossip {

// What every packet and stream of one node has in common.
struct Framing {
  std::string label;                 // At most kMaxLabelBytes; Dkron uses none.
  const Keyring* keyring = nullptr;  // Not owned; null: plain text.
  bool compress = true;
};

struct OpenedPacket {
  std::vector<std::string> messages;  // Each with its type byte, none of a framing type.
  std::size_t truncated = 0;          // Parts of a compound that were cut off.
  std::size_t malformed = 0;          // Parts of a compound that could not be opened themselves.
};

inline constexpr std::size_t kMaxPlainBytes = std::size_t{1} << 20;
inline constexpr int kMaxNesting = 4;
inline constexpr std::size_t kMaxPacketMessages = 4'096;
inline constexpr std::size_t kMaxCompoundParts = 255;
inline constexpr std::size_t kMaxPartBytes = 65'535;
inline constexpr std::size_t kMaxLabelBytes = 255;

// Corrupt, with the reason, for everything that peers drop as a whole: another label, no fitting
// key, a wrong checksum, broken compression around all of it.
Result<OpenedPacket> open_packet(std::string_view datagram, const Framing& framing);

// 1 to kMaxCompoundParts messages, each with its type byte and at most 65,535 bytes. Compresses
// when that is smaller. `with_crc`: the receiver is known to speak protocol 5.
std::string seal_packet(const std::vector<std::string>& messages, bool with_crc,
                        const Framing& framing);

// What stands in front of packets and diallers' streams; "" without a label.
std::string label_header(const std::string& label);

}  // namespace dkron::gossip
