// Any bytes as a stream, in whatever pieces: the first byte says how large they are and who sends.
#include <cstdint>
#include <optional>

#include "agreement.h"
#include "gossip/stream.h"

namespace {

using namespace dkron;
using namespace dkron::gossip;
using fuzz::require;

Result<StreamMessage> read(std::string_view bytes, StreamRole sender, const Framing& framing,
                           std::size_t piece_bytes) {
  StreamReader reader(framing, sender);
  for (std::size_t at = 0; at < bytes.size(); at += piece_bytes) {
    auto message = reader.feed(bytes.substr(at, piece_bytes));
    if (!message) return fail(message.error());
    if (*message) return std::move(**message);
  }
  return fail(ErrorCode::Unavailable, "more is needed");
}

void check(std::string_view bytes, StreamRole sender, const Framing& framing, std::size_t pieces) {
  const auto whole = read(bytes, sender, framing, bytes.size() + 1);
  const auto piecewise = read(bytes, sender, framing, pieces);
  require(whole.has_value() == piecewise.has_value());
  if (!whole) return require(whole.error().message == piecewise.error().message);
  const std::string written = encode_stream(*whole);
  require(written == encode_stream(*piecewise));
  const auto again = read(written, sender, {}, written.size());
  require(again && encode_stream(*again) == written);
  const auto unsealed = read(seal_stream(*whole, sender, framing), sender, framing, pieces);
  require(unsealed && encode_stream(*unsealed) == written);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  static const Keyring ring = Keyring::make({std::string(32, 'k')}).value();
  const std::size_t piece_bytes = 1 + (data[0] & 0x3f);
  const StreamRole sender = (data[0] & 0x40) != 0 ? StreamRole::Acceptor : StreamRole::Dialler;
  const std::string_view bytes = fuzz::input_of(data + 1, size - 1);
  check(bytes, sender, {}, piece_bytes);
  check(bytes, sender, {"label", nullptr, true}, piece_bytes);
  check(bytes, sender, {"label", &ring, false}, piece_bytes);
  return 0;
}
