// StreamMessageParser: one stream message without label and encryption, out of bytes that arrive
// piece by piece. Internal to gossip (stream.h); lives on its connection's thread.
//
// A message is its type byte, one msgpack value (a push/pull: one and then one for each node), and
// a tail whose length the first value tells. Each value is decoded once, when it is whole.
#pragma once

#include <optional>
#include <string_view>

#include "base/error.h"
#include "codec/msgpack.h"
#include "gossip/messages.h"

namespace dkron::gossip {

class StreamMessageParser {
 public:
  enum class Compression { Allowed, Refused };
  explicit StreamMessageParser(Compression compression) : compression_(compression) {}

  // `bytes` begins with the type byte, and with every call holds at least what it held before.
  Result<std::optional<StreamMessage>> parse(std::string_view bytes);

 private:
  Result<std::optional<StreamMessage>> parse_simple(std::string_view bytes);
  Result<std::optional<StreamMessage>> parse_compressed(std::string_view bytes);
  Result<std::optional<StreamMessage>> parse_user(std::string_view bytes);
  Result<std::optional<StreamMessage>> parse_push_pull(std::string_view bytes);
  Result<std::optional<std::string_view>> next_value(std::string_view bytes);
  std::optional<std::string_view> tail(std::string_view bytes) const;

  Compression compression_;
  std::size_t position_ = 1;       // Where the value that is awaited begins.
  codec::MsgpackScanner scanner_;  // How far that one has been looked at.
  bool has_header_ = false;
  std::size_t nodes_left_ = 0;
  std::size_t tail_bytes_ = 0;
  PushPull push_pull_;
};

}  // namespace dkron::gossip
