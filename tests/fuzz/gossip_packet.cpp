// Any bytes as a datagram: plain, with encryption on, and as what a peer that has the key encrypts.
#include <cstdint>
#include <variant>

#include "agreement.h"
#include "fitting_tags.h"
#include "gossip/messages.h"
#include "gossip/packet.h"
#include "gossip/serf_messages.h"

namespace {

using namespace dkron;
using namespace dkron::gossip;
using fuzz::check_agreement;
using fuzz::require;

const auto encode_any = [](const auto& message) {
  return std::visit([](const auto& one) { return encode(one); }, message);
};

const Keyring& ring() {
  static const Keyring made = Keyring::make({std::string(32, 'k'), std::string(16, 'l')}).value();
  return made;
}

void check_message(const std::string& bytes) {
  check_agreement(bytes, decode_message, encode_any);
  const auto message = decode_message(bytes);
  if (!message) return;
  if (const auto* user = std::get_if<User>(&*message)) {
    check_agreement(user->payload, decode_serf_message, encode_any);
  } else if (const auto* alive = std::get_if<Alive>(&*message)) {
    check_agreement(alive->meta, fuzz::decode_tags_that_fit, encode_tags);
  } else if (const auto* ack = std::get_if<Ack>(&*message)) {
    check_agreement(ack->payload, decode_coordinate,
                    [](const CoordinateRecord& coordinate) { return encode(coordinate); });
  }
}

void check_sealing(std::vector<std::string> messages) {
  std::erase_if(messages, [](const auto& one) { return one.size() > kMaxPartBytes; });
  if (messages.size() > kMaxCompoundParts) messages.resize(kMaxCompoundParts);
  if (messages.empty()) return;
  for (const bool compresses : {false, true}) {
    const Framing framing{"label", &ring(), compresses};
    const auto opened = open_packet(seal_packet(messages, compresses, framing), framing);
    require(opened && opened->messages == messages && opened->malformed == 0);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = fuzz::input_of(data, size);
  const Framing sealed{"", &ring(), false};
  (void)open_packet(bytes, sealed);
  const auto opened = open_packet(bytes, {});
  if (size > 0 && data[0] != 0xf4) {
    const auto from_peer = open_packet(ring().seal(bytes, ""), sealed);
    require(from_peer.has_value() == opened.has_value());
    require(!opened || from_peer->messages == opened->messages);
  }
  if (!opened) return 0;
  for (const std::string& message : opened->messages) check_message(message);
  check_sealing(opened->messages);
  return 0;
}
