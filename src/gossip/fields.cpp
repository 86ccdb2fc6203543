#include "gossip/fields.h"

namespace dkron::gossip {

bool read_ip(MsgpackReader& in, Ip& out, bool& is_sane) {
  const auto ip = Ip::from_wire(in.bytes());
  if (ip) {
    out = *ip;
  } else {
    is_sane = false;
  }
  return true;
}

std::string_view as_bytes(const Versions& versions, std::array<char, 6>& buffer) {
  const std::uint8_t values[] = {versions.protocol_min,     versions.protocol_max,
                                 versions.protocol_current, versions.delegate_min,
                                 versions.delegate_max,     versions.delegate_current};
  for (std::size_t i = 0; i < buffer.size(); ++i) buffer[i] = static_cast<char>(values[i]);
  return {buffer.data(), buffer.size()};
}

std::optional<Versions> versions_from(std::string_view bytes) {
  if (bytes.size() != 6) return std::nullopt;
  const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(bytes[i]); };
  return Versions{at(0), at(1), at(2), at(3), at(4), at(5)};
}

Result<> read_result(const MsgpackReader& in, std::string_view what, bool is_sane) {
  if (in.failed()) {
    return fail(ErrorCode::Corrupt, std::string(what) + ": " +
                                        (in.short_input() ? "ends early" : "wrong type of value") +
                                        " at byte " + std::to_string(in.position()));
  }
  if (!is_sane) return fail(ErrorCode::Corrupt, std::string(what) + ": not an address");
  return {};
}

Result<std::string_view> body_of(std::string_view bytes, std::uint8_t type, std::string_view what) {
  if (bytes.empty()) return fail(ErrorCode::Corrupt, std::string(what) + ": empty");
  if (static_cast<std::uint8_t>(bytes[0]) != type) {
    return fail(ErrorCode::Corrupt, std::string(what) + ": begins with type " +
                                        std::to_string(static_cast<std::uint8_t>(bytes[0])));
  }
  return bytes.substr(1);
}

}  // namespace dkron::gossip
