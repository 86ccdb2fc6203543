// Framing of streams: one message each way on a TCP connection, read as it arrives.
//
// A stream has no length in front unless it is encrypted, so the reader takes its values as they
// become whole and says when it wants more. The dialler's stream starts with the label, the
// acceptor's does not. Limits: kMaxStreamBytes on the wire, kMaxStreamPlainBytes after
// decompression, kMaxStreamNodes nodes. Source: the gossip specification, section 4. Lives on its
// connection's thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "gossip/messages.h"
#include "gossip/packet.h"
#include "gossip/stream_message.h"

namespace dkron::gossip {

inline constexpr std::size_t kMaxStreamBytes = 20u << 20;
inline constexpr std::size_t kMaxStreamPlainBytes = 64u << 20;
inline constexpr std::size_t kMaxStreamNodes = 1u << 20;

enum class StreamRole { Dialler, Acceptor };

class StreamReader {
 public:
  // `sender` is who wrote the bytes: only a dialler's carry the label. `framing` outlives the
  // reader.
  StreamReader(const Framing& framing, StreamRole sender);

  // Takes more bytes; a message when it is complete, nothing when more is needed. Corrupt or
  // TooLarge end the stream. After either the reader is spent: bytes behind a message are ignored,
  // an error is repeated. The cost over a whole stream is linear in its size.
  Result<std::optional<StreamMessage>> feed(std::string_view bytes);

 private:
  enum class Stage { Label, Body, Done, Failed };
  Result<std::optional<StreamMessage>> advance();
  Result<std::optional<StreamMessage>> read_sealed();
  Result<bool> read_label();

  const Framing& framing_;
  StreamRole sender_;
  Stage stage_ = Stage::Label;
  std::string received_;
  std::size_t body_ = 0;  // Where in it the label ends.
  StreamMessageParser parser_{StreamMessageParser::Compression::Allowed};
  Error error_;
};

// Compresses always when compression is on, as peers do.
std::string seal_stream(const StreamMessage& message, StreamRole sender, const Framing& framing);

}  // namespace dkron::gossip
