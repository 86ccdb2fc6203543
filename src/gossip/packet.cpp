// [f4 length label] [encryption] [0c CRC-32] [09 compressed] [07 count, lengths] messages
#include "gossip/packet.h"

#include <boost/crc.hpp>
#include <utility>

#include "base/assert.h"
#include "gossip/compress.h"
#include "gossip/messages.h"

namespace dkron::gossip {
namespace {

constexpr std::size_t kCrcBytes = 5;

bool has_type(std::string_view bytes, MessageType type) {
  return !bytes.empty() && static_cast<std::uint8_t>(bytes[0]) == static_cast<std::uint8_t>(type);
}

std::uint32_t crc32(std::string_view bytes) {
  boost::crc_32_type crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return crc.checksum();
}

std::uint32_t big_endian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<std::uint8_t>(c);
  return value;
}

void append_big_endian(std::string& out, std::uint32_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(value >> shift));
  }
}

Result<std::string_view> without_label(std::string_view datagram, const std::string& label) {
  std::string_view found;
  if (has_type(datagram, MessageType::HasLabel)) {
    const std::size_t size = datagram.size() < 2 ? 0 : static_cast<std::uint8_t>(datagram[1]);
    if (size == 0 || datagram.size() < 2 + size) {
      return fail(ErrorCode::Corrupt, "packet with a broken label");
    }
    found = datagram.substr(2, size);
    datagram.remove_prefix(2 + size);
  }
  if (found != label) return fail(ErrorCode::Corrupt, "packet with another label");
  return datagram;
}

Result<std::string_view> without_crc(std::string_view bytes) {
  if (bytes.size() < kCrcBytes || !has_type(bytes, MessageType::HasCrc)) return bytes;
  const std::string_view rest = bytes.substr(kCrcBytes);
  if (crc32(rest) != big_endian(bytes.substr(1, 4))) {
    return fail(ErrorCode::Corrupt, "packet with a wrong checksum");
  }
  return rest;
}

// Takes compounds and compression apart down to single messages.
class Unwrapper {
 public:
  Result<> unwrap(std::string_view bytes, int levels) {
    if (bytes.empty()) return fail(ErrorCode::Corrupt, "message without a type");
    const bool is_compound = has_type(bytes, MessageType::Compound);
    const bool is_compressed = has_type(bytes, MessageType::Compress);
    if ((is_compound || is_compressed) && levels == kMaxNesting) {
      return fail(ErrorCode::Corrupt, "packet nested too deeply");
    }
    if (is_compound) return unwrap_compound(bytes.substr(1), levels);
    if (is_compressed) return unwrap_compressed(bytes.substr(1), levels);
    for (const auto type : {MessageType::Encrypt, MessageType::HasCrc, MessageType::HasLabel}) {
      if (has_type(bytes, type)) return fail(ErrorCode::Corrupt, "framing where a message belongs");
    }
    if (opened.messages.size() == kMaxPacketMessages) {
      return fail(ErrorCode::TooLarge, "packet with too many messages");
    }
    opened.messages.emplace_back(bytes);
    return {};
  }

  OpenedPacket opened;

 private:
  Result<> unwrap_compound(std::string_view body, int levels) {
    const std::size_t count = body.empty() ? 0 : static_cast<std::uint8_t>(body[0]);
    if (body.size() < 1 + 2 * count || body.empty()) {
      return fail(ErrorCode::Corrupt, "compound without its lengths");
    }
    const std::string_view lengths = body.substr(1, 2 * count);
    std::string_view parts = body.substr(1 + 2 * count);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t size = big_endian(lengths.substr(2 * i, 2));
      if (size > parts.size()) {
        opened.truncated += count - i;
        break;
      }
      if (!unwrap(parts.substr(0, size), levels + 1)) ++opened.malformed;
      parts.remove_prefix(size);
    }
    return {};
  }

  Result<> unwrap_compressed(std::string_view body, int levels) {
    // How far a broken one came is not known: nothing more is decompressed after it.
    const std::size_t most = std::exchange(plain_bytes_left_, 0);
    const auto plain = decompress(body, most);
    if (!plain) return fail(plain.error());
    plain_bytes_left_ = most - plain->size();
    return unwrap(*plain, levels + 1);
  }

  std::size_t plain_bytes_left_ = kMaxPlainBytes;
};

}  // namespace

Result<OpenedPacket> open_packet(std::string_view datagram, const Framing& framing) {
  auto bytes = without_label(datagram, framing.label);
  if (!bytes) return fail(bytes.error());
  std::string decrypted;
  if (framing.keyring != nullptr) {
    auto plain = framing.keyring->open(*bytes, framing.label);
    if (!plain) return fail(plain.error());
    decrypted = std::move(*plain);
    bytes = decrypted;
  }
  const auto checked = without_crc(*bytes);
  if (!checked) return fail(checked.error());
  Unwrapper unwrapper;
  if (auto unwrapped = unwrapper.unwrap(*checked, 0); !unwrapped) return fail(unwrapped.error());
  return std::move(unwrapper.opened);
}

namespace {

std::string compound_of(const std::vector<std::string>& messages) {
  std::string bytes(1, static_cast<char>(MessageType::Compound));
  append_big_endian(bytes, static_cast<std::uint32_t>(messages.size()), 1);
  for (const std::string& message : messages) {
    append_big_endian(bytes, static_cast<std::uint32_t>(message.size()), 2);
  }
  for (const std::string& message : messages) bytes += message;
  return bytes;
}

std::string with_crc_header(const std::string& bytes) {
  std::string headed(1, static_cast<char>(MessageType::HasCrc));
  append_big_endian(headed, crc32(bytes), 4);
  return headed + bytes;
}

}  // namespace

std::string label_header(const std::string& label) {
  if (label.empty()) return "";
  DK_ASSERT(label.size() <= kMaxLabelBytes);
  std::string header(1, static_cast<char>(MessageType::HasLabel));
  header.push_back(static_cast<char>(label.size()));
  return header + label;
}

std::string seal_packet(const std::vector<std::string>& messages, bool with_crc,
                        const Framing& framing) {
  DK_ASSERT(!messages.empty() && messages.size() <= kMaxCompoundParts);
  for (const std::string& message : messages) {
    DK_ASSERT(!message.empty() && message.size() <= kMaxPartBytes);
  }
  std::string bytes = messages.size() == 1 ? messages.front() : compound_of(messages);
  if (framing.compress) {
    std::string compressed = compress(bytes);
    if (compressed.size() < bytes.size()) bytes = std::move(compressed);
  }
  if (with_crc) bytes = with_crc_header(bytes);
  if (framing.keyring != nullptr) bytes = framing.keyring->seal(bytes, framing.label);
  return label_header(framing.label) + bytes;
}

}  // namespace dkron::gossip
