#include "gossip/stream.h"

#include <gtest/gtest.h>

#include "codec/test_golden.h"
#include "gossip/compress.h"

namespace dkron::gossip {
namespace {

using dkron::testing_support::from_hex;
using Outcome = Result<std::optional<StreamMessage>>;

const Keyring& ring() {
  static const Keyring made = Keyring::make({std::string(32, 'k')}).value();
  return made;
}

PushPull some_state(std::size_t nodes) {
  PushPull message;
  message.is_join = true;
  for (std::size_t i = 0; i < nodes; ++i) {
    NodeRecord& node = message.nodes.emplace_back();
    node.name = "node-" + std::to_string(i);
    node.ip = *Ip::parse("10.0.0.1");
    node.port = 8946;
    node.meta = "\xff\x80";
    node.incarnation = static_cast<std::uint32_t>(i);
    node.state = static_cast<NodeState>(i % 4);
  }
  message.user_state = "what the layer above says";
  return message;
}

Outcome read_whole(std::string_view bytes, const Framing& framing = {},
                   StreamRole sender = StreamRole::Dialler) {
  return StreamReader(framing, sender).feed(bytes);
}

std::string error_of(std::string_view bytes, const Framing& framing = {},
                     StreamRole sender = StreamRole::Dialler) {
  const auto message = read_whole(bytes, framing, sender);
  return message ? "" : message.error().message;
}

TEST(Stream, comes_out_as_it_went_in_with_every_framing) {
  const std::vector<StreamMessage> messages = {some_state(300), Ping{3, "a", {}, 0, ""}, Ack{4, ""},
                                               User{std::string(70'000, 'u')}, RemoteError{"no"}};
  for (const StreamMessage& message : messages) {
    for (const char* label : {"", "a-label"}) {
      for (const Keyring* keys : {static_cast<const Keyring*>(nullptr), &ring()}) {
        for (const StreamRole sender : {StreamRole::Dialler, StreamRole::Acceptor}) {
          for (const bool compresses : {false, true}) {
            const Framing framing{label, keys, compresses};
            const auto back = read_whole(seal_stream(message, sender, framing), framing, sender);
            ASSERT_TRUE(back && *back) << back.error().message;
            EXPECT_EQ(encode_stream(**back), encode_stream(message));
          }
        }
      }
    }
  }
}

TEST(Stream, is_complete_with_its_last_byte_and_not_before) {
  const std::string bytes = encode_stream(some_state(5));
  const Framing framing;
  StreamReader reader(framing, StreamRole::Acceptor);
  for (std::size_t i = 0; i + 1 < bytes.size(); ++i) {
    const auto message = reader.feed(bytes.substr(i, 1));
    ASSERT_TRUE(message && !*message) << i;
  }
  const auto message = reader.feed(bytes.substr(bytes.size() - 1));
  ASSERT_TRUE(message && *message);
  EXPECT_EQ(std::get<PushPull>(**message).nodes.size(), 5u);
  EXPECT_FALSE(reader.feed("more").value());
}

// A reader that begins anew with every byte would take hours.
TEST(Stream, of_many_megabytes_may_come_in_small_pieces) {
  PushPull large = some_state(20'000);
  large.nodes[0].meta.assign(4 << 20, 'm');
  large.user_state.assign(1 << 20, 's');
  const std::string bytes = encode_stream(large);
  const Framing framing;
  StreamReader reader(framing, StreamRole::Dialler);
  Outcome message;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    ASSERT_TRUE(message && !*message);
    message = reader.feed(std::string_view(bytes).substr(at, 3));
  }
  ASSERT_TRUE(message && *message);
  EXPECT_EQ(encode_stream(**message), bytes);
}

TEST(Stream, carries_the_label_only_from_the_dialler) {
  const Framing labelled{"mine", nullptr, false};
  const Ack ack{1, ""};
  const std::string request = seal_stream(ack, StreamRole::Dialler, labelled);
  const std::string reply = seal_stream(ack, StreamRole::Acceptor, labelled);
  EXPECT_EQ(request, std::string("\xf4\x04mine") + reply);
  EXPECT_EQ(error_of(reply, labelled), "stream with another label");
  EXPECT_EQ(error_of(request, labelled, StreamRole::Acceptor), "stream with another label");
  EXPECT_EQ(error_of(request), "stream with another label");
  EXPECT_EQ(error_of(from_hex("f400")), "stream with an empty label");
}

TEST(Stream, is_encrypted_on_both_sides_or_on_none) {
  const Framing sealed{"", &ring(), true};
  const std::string bytes = seal_stream(Ack{1, ""}, StreamRole::Dialler, sealed);
  EXPECT_EQ(error_of(bytes), "remote state is encrypted and encryption is not configured");
  EXPECT_EQ(error_of("\x02\x80", sealed),
            "encryption is configured but remote state is not encrypted");
  const Keyring others = Keyring::make({std::string(32, 'o')}).value();
  EXPECT_EQ(error_of(bytes, {"", &others, true}), "no installed keys could decrypt the message");
  EXPECT_EQ(error_of(bytes, {"label", &ring(), true}), "stream with another label");
}

TEST(Stream, that_is_too_long_when_encrypted_is_refused_at_once) {
  const Framing sealed{"", &ring(), true};
  EXPECT_NE(error_of(from_hex("0a01400001"), sealed), "");
  EXPECT_EQ(error_of(from_hex("0a01400000"), sealed), "");
}

TEST(Stream, may_not_promise_more_than_the_limits) {
  const auto header = [](std::string_view nodes, std::string_view state) {
    return from_hex("0682a54e6f646573") + from_hex(nodes) + from_hex("ac5573657253746174654c656e") +
           from_hex(state);
  };
  EXPECT_EQ(error_of(header("d200100000", "d201400000")), "");
  EXPECT_EQ(error_of(header("d200100001", "00")),
            "number of nodes in header (1048577) exceeds limit");
  EXPECT_EQ(error_of(header("ff", "00")), "number of nodes in header (-1) exceeds limit");
  EXPECT_EQ(error_of(header("00", "d201400001")), "user state length (20971521) exceeds limit");
  EXPECT_EQ(error_of(header("00", "d0df")), "user state length (-33) exceeds limit");
  EXPECT_EQ(error_of(from_hex("0881aa557365724d73674c656eff")),
            "user message length (-1) exceeds limit");
}

TEST(Stream, without_an_end_is_given_up) {
  const std::string piece(1 << 20, '\0');
  std::string begin = from_hex("0881a3") + "Key";  // A value of 4 GiB follows.
  begin += from_hex("dbffffffff");
  const Framing framing;
  StreamReader reader(framing, StreamRole::Dialler);
  Outcome message = reader.feed(begin);
  std::size_t pieces = 0;
  for (; message && pieces < 100; ++pieces) message = reader.feed(piece);
  ASSERT_FALSE(message);
  EXPECT_EQ(message.error().code, ErrorCode::TooLarge);
  EXPECT_EQ(pieces, 21u);
  EXPECT_FALSE(reader.feed("x"));
}

TEST(Stream, refuses_broken_values_as_soon_as_they_show) {
  EXPECT_EQ(error_of("\x07"), "message type 7 is none of streams");
  EXPECT_EQ(error_of("\x03\x80"), "message type 3 is none of streams");
  EXPECT_EQ(error_of(from_hex("02c1")), "stream: no value at byte 1");
  EXPECT_EQ(error_of(from_hex("02a178")), "ack: wrong type of value at byte 0");
  EXPECT_EQ(error_of(compress(compress("\x02\x80"))), "message type 9 is none of streams");
  EXPECT_EQ(error_of(compress("\x02\x81")), "compressed stream ends early");
}

std::string one_node(std::string_view fields) {
  return from_hex("0681a54e6f64657301") + std::string(fields);
}

TEST(Stream, takes_nodes_without_versions_and_no_other_length) {
  const auto message = read_whole(one_node(from_hex("81a44e616d65a161")));
  ASSERT_TRUE(message && *message);
  const NodeRecord& node = std::get<PushPull>(**message).nodes.at(0);
  EXPECT_EQ(node.name, "a");
  EXPECT_FALSE(node.has_versions);
  EXPECT_EQ(node.versions, (Versions{0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(error_of(one_node(from_hex("81a356736ea3010502"))),
            "node: 3 bytes of versions instead of 6");
  EXPECT_EQ(error_of(one_node(from_hex("81a5537461746504"))), "node: unknown state 4");
  EXPECT_EQ(error_of(one_node(from_hex("81a441646472a101"))), "node: not an address");
}

}  // namespace
}  // namespace dkron::gossip
