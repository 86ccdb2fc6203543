// Recorded packets and streams of real peers: each is decoded to its recorded meaning, and what the
// newer generation wrote is written again, byte for byte.
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cstdio>

#include "base/base64.h"
#include "codec/test_golden.h"
#include "gossip/packet.h"
#include "gossip/stream.h"
#include "gossip/test_json.h"

namespace dkron::gossip {
namespace {

namespace json = boost::json;
using dkron::testing_support::from_hex;
using dkron::testing_support::load_golden;
using dkron::testing_support::read_golden;
using dkron::testing_support::text_of;
using dkron::testing_support::to_hex;

struct Vector {
  std::string name;
  std::string bytes;
  json::value decoded;
  std::string label;
  std::optional<Keyring> ring;
  bool has_serf = true;

  bool is_newer() const { return name.starts_with("s0102") || name.starts_with("dkronlike"); }
  bool has_layer(std::string_view layer) const {
    return ("/" + text_of(decoded.at("path")) + "/").find("/" + std::string(layer) + "/") !=
           std::string::npos;
  }
  Framing framing() const { return {label, ring ? &*ring : nullptr, has_layer("compress")}; }
  // Without what has a nonce in it: the bytes inside the encryption, else all.
  std::string plain() const {
    const auto* encryption = decoded.as_object().if_contains("encryption");
    return encryption == nullptr ? bytes : from_hex(text_of(encryption->at("plain_hex")));
  }
  Framing plain_framing() const {
    return {ring ? std::string() : label, nullptr, has_layer("compress")};
  }
};

std::vector<Vector> load_vectors(const std::string& file) {
  std::vector<Vector> vectors;
  for (const json::value& entry : load_golden(file)) {
    const json::object& fields = entry.as_object();
    Vector& vector = vectors.emplace_back();
    vector.name = text_of(fields.at("name"));
    vector.bytes = from_hex(text_of(fields.at("hex")));
    vector.decoded = fields.at("decoded");
    vector.has_serf = !fields.at("producer").as_string().starts_with("memberlist");
    if (const auto* label = fields.if_contains("label")) vector.label = text_of(*label);
    if (fields.at("encrypted").as_bool()) {
      vector.ring = Keyring::make({*decode_base64(text_of(fields.at("key")))}).value();
    }
  }
  return vectors;
}

// What can be compared: printable bytes stand there as text besides their hex digits, which tell
// all; numbers are cut to 13 digits, since the JSON reader is not exact behind them. (Coordinates
// are compared exactly as bytes.)
json::value comparable(json::value value) {
  if (const auto* real = value.if_double()) {
    char digits[32];
    std::snprintf(digits, sizeof digits, "%.13g", *real);
    value = json::string(digits);
  } else if (auto* object = value.if_object()) {
    if (object->contains("hex")) object->erase("text");
    for (auto& [key, member] : *object) member = comparable(std::move(member));
    // Filters stand there as text or as digits; their decoded form is compared.
    object->erase("Filters");
  } else if (auto* array = value.if_array()) {
    for (json::value& element : *array) element = comparable(std::move(element));
  }
  return value;
}

// What is inside compression and compounds, in order.
void collect_messages(const json::value& tree, std::vector<json::value>& messages) {
  const json::object& fields = tree.as_object();
  if (const auto* inner = fields.if_contains("inner")) return collect_messages(*inner, messages);
  const auto* parts = fields.if_contains("parts");
  if (parts == nullptr) return messages.push_back(comparable(tree));
  for (const json::value& part : parts->as_array()) collect_messages(part, messages);
}

template <class Variant>
std::string encode_any(const Variant& message) {
  return std::visit([](const auto& one) { return encode(one); }, message);
}

// Serf's message in the user message is written again as well.
std::string encode_deeply(const Message& message) {
  const auto* user = std::get_if<User>(&message);
  if (user == nullptr) return encode_any(message);
  const auto inner = decode_serf_message(user->payload);
  EXPECT_TRUE(inner);
  return encode(User{encode_any(*inner)});
}

TEST(GoldenPackets, have_their_recorded_meaning) {
  std::size_t messages = 0;
  for (const Vector& vector : load_vectors("udp_packets.json")) {
    SCOPED_TRACE(vector.name);
    const auto opened = open_packet(vector.bytes, vector.framing());
    ASSERT_TRUE(opened) << opened.error().message;
    EXPECT_EQ(opened->truncated + opened->malformed, 0u);
    std::vector<json::value> expected;
    collect_messages(vector.decoded.at("message"), expected);
    ASSERT_EQ(opened->messages.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const auto message = decode_message(opened->messages[i]);
      ASSERT_TRUE(message) << message.error().message;
      const auto shown = testing_support::to_json(*message, vector.has_serf);
      EXPECT_EQ(comparable(shown), expected[i]);
      ++messages;
    }
  }
  EXPECT_GT(messages, 200u);
}

TEST(GoldenPackets, are_framed_to_the_same_bytes) {
  for (const Vector& vector : load_vectors("udp_packets.json")) {
    const auto opened = open_packet(vector.bytes, vector.framing());
    ASSERT_TRUE(opened) << vector.name;
    const std::string sealed =
        seal_packet(opened->messages, vector.has_layer("hasCrc"), vector.plain_framing());
    EXPECT_EQ(to_hex(sealed), to_hex(vector.plain())) << vector.name;
  }
}

// A query of a peer of the older generation, which writes its timeout (the last field) as unsigned.
std::string in_newer_form(std::string bytes) {
  constexpr std::string_view kOldTimeout = "\xa7Timeout\xce";
  const std::size_t at = bytes.size() < 13 ? 0 : bytes.size() - 13;
  if (bytes.substr(at, kOldTimeout.size()) != kOldTimeout) return bytes;
  return bytes.replace(at + 8, 1, std::string("\xd3\0\0\0\0", 5));
}

TEST(GoldenPackets, of_the_newer_generation_are_encoded_to_the_same_bytes) {
  std::size_t same = 0;
  std::size_t from_older = 0;
  for (const Vector& vector : load_vectors("udp_packets.json")) {
    if (!vector.is_newer()) continue;
    const auto opened = open_packet(vector.bytes, vector.framing());
    ASSERT_TRUE(opened) << vector.name;
    for (const std::string& bytes : opened->messages) {
      const auto message = decode_message(bytes);
      ASSERT_TRUE(message) << vector.name;
      EXPECT_EQ(to_hex(encode_deeply(*message)), to_hex(in_newer_form(bytes))) << vector.name;
      ++(bytes == in_newer_form(bytes) ? same : from_older);
    }
  }
  EXPECT_EQ(same, 126u);
  EXPECT_EQ(from_older, 2u);  // What a mixed cluster passed on.
}

Result<std::optional<StreamMessage>> read_stream(const Vector& vector, std::size_t piece_bytes) {
  const Framing framing = vector.framing();
  const bool is_request = vector.name.ends_with(".request");
  StreamReader reader(framing, is_request ? StreamRole::Dialler : StreamRole::Acceptor);
  Result<std::optional<StreamMessage>> message;
  for (std::size_t at = 0; at < vector.bytes.size(); at += piece_bytes) {
    EXPECT_TRUE(message && !*message) << vector.name << " ended at byte " << at;
    message = reader.feed(std::string_view(vector.bytes).substr(at, piece_bytes));
  }
  return message;
}

TEST(GoldenStreams, have_their_recorded_meaning_in_whatever_pieces_they_come) {
  std::size_t checked = 0;
  for (const Vector& vector : load_vectors("tcp_streams.json")) {
    SCOPED_TRACE(vector.name);
    std::vector<json::value> expected;
    collect_messages(vector.decoded.at("message"), expected);
    ASSERT_EQ(expected.size(), 1u);
    for (const std::size_t piece_bytes : {std::size_t{1}, std::size_t{7}, vector.bytes.size()}) {
      const auto message = read_stream(vector, piece_bytes);
      ASSERT_TRUE(message) << message.error().message;
      ASSERT_TRUE(*message);
      EXPECT_EQ(comparable(testing_support::to_json(**message, vector.has_serf)), expected[0]);
    }
    ++checked;
  }
  EXPECT_EQ(checked, 82u);
}

// Serf's state in a push/pull is written again as well.
StreamMessage written_again(StreamMessage message) {
  if (auto* push_pull = std::get_if<PushPull>(&message)) {
    const auto state = decode_serf_state(push_pull->user_state);
    EXPECT_TRUE(state) << state.error().message;
    push_pull->user_state = encode(*state);
  }
  return message;
}

TEST(GoldenStreams, of_the_newer_generation_are_encoded_to_the_same_bytes) {
  std::size_t checked = 0;
  for (const Vector& vector : load_vectors("tcp_streams.json")) {
    if (!vector.is_newer()) continue;
    SCOPED_TRACE(vector.name);
    const auto message = read_stream(vector, vector.bytes.size());
    ASSERT_TRUE(message && *message);
    const StreamMessage again = written_again(**message);
    EXPECT_EQ(to_hex(seal_stream(again, StreamRole::Dialler, vector.plain_framing())),
              to_hex(vector.plain()));
    ++checked;
  }
  EXPECT_GE(checked, 20u);
}

TEST(GoldenKeyring, is_read_and_written_as_the_reference_does) {
  const std::string text = read_golden("keyring_sample.json");
  const auto ring = parse_keyring(text);
  ASSERT_TRUE(ring) << ring.error().message;
  EXPECT_EQ(ring->keys().size(), 2u);
  EXPECT_EQ(encode_base64(ring->keys()[0]), "5K9OtfP7efFrNKe5WCQvXvnaXJ5cWP0SvXiwe0kkjM4=");
  EXPECT_EQ(format_keyring(*ring), text);
}

}  // namespace
}  // namespace dkron::gossip
