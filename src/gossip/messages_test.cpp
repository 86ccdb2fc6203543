#include "gossip/messages.h"

#include <gtest/gtest.h>

#include "codec/test_golden.h"
#include "gossip/fields.h"

namespace dkron::gossip {
namespace {

using dkron::testing_support::from_hex;
using dkron::testing_support::to_hex;

std::string error_of(std::string_view bytes) {
  const auto message = decode_message(bytes);
  if (message) return "";
  EXPECT_EQ(message.error().code, ErrorCode::Corrupt);
  return message.error().message;
}

template <class T>
T decoded(std::string_view bytes) {
  const auto message = decode_message(bytes);
  EXPECT_TRUE(message) << message.error().message;
  return std::get<T>(message.value());
}

Alive some_alive() {
  return {7, "a", *Ip::parse("10.0.0.1"), 8946, "\xff\x80", Versions{}};
}

TEST(Messages, leave_out_what_is_not_known_of_the_source) {
  Ping ping;
  ping.sequence = 2;
  ping.node = "node-c";
  EXPECT_EQ(to_hex(encode(ping)), "0082a44e6f6465a66e6f64652d63a55365714e6f02");
  ping.source_port = 22001;
  EXPECT_EQ(to_hex(encode(ping)),
            "0083a44e6f6465a66e6f64652d63a55365714e6f02aa536f75726365506f7274cd55f1");
}

TEST(Messages, of_dkron_carry_its_versions) {
  EXPECT_NE(encode(some_alive()).find(from_hex("a356736ea6010502020504")), std::string::npos);
}

TEST(Messages, are_read_with_keys_in_any_order_unknown_ones_and_bytes_behind) {
  const auto suspect = decoded<Suspect>(
      "\x03\x84\xa4Node\xa1x\xa3New\x92\x01\x81\xa1k\xc0\xa4"
      "From\xa1y\xab"
      "Incarnation\x09"
      "behind");
  EXPECT_EQ(suspect.node, "x");
  EXPECT_EQ(suspect.from, "y");
  EXPECT_EQ(suspect.incarnation, 9u);
}

TEST(Messages, take_the_last_of_a_key_that_comes_twice) {
  EXPECT_EQ(decoded<Nack>("\x0b\x82\xa5SeqNo\x01\xa5SeqNo\x02").sequence, 2u);
}

TEST(Messages, leave_missing_fields_and_nil_ones_zero) {
  EXPECT_EQ(decoded<Ack>("\x02\x80").payload, "");
  EXPECT_EQ(decoded<Ack>("\x02\xc0").sequence, 0u);
  EXPECT_EQ(decoded<Ping>(from_hex("0081a44e6f6465c0")).node, "");
}

TEST(Messages, take_text_and_bytes_in_every_form) {
  EXPECT_EQ(decoded<Dead>("\x05\x82\xa4Node\xd9\x01x\xa4"
                          "From\xc4\x01x")
                .from,
            "x");
  EXPECT_EQ(decoded<Ack>(from_hex("0281a75061796c6f6164930102cc80")).payload, "\1\2\x80");
}

TEST(Messages, say_why_they_are_refused) {
  EXPECT_EQ(error_of(""), "message without a type");
  EXPECT_EQ(error_of("\x06\x80"), "message type 6 is none of packets");
  EXPECT_EQ(error_of("\xf4"), "message type 244 is none of packets");
  EXPECT_EQ(error_of("\x03"), "suspect: ends early at byte 0");
  EXPECT_EQ(error_of("\x03\x81\xa4Node"), "suspect: ends early at byte 6");
  EXPECT_EQ(error_of("\x03\x81\xa4Node\x07"), "suspect: wrong type of value at byte 6");
  EXPECT_EQ(error_of("\x03\xa1x"), "suspect: wrong type of value at byte 0");
  EXPECT_EQ(error_of(from_hex("0281a55365714e6fcf0000000100000000")),
            "ack: wrong type of value at byte 16");
  EXPECT_EQ(error_of(from_hex("0081aa536f7572636541646472a3010203")), "ping: not an address");
}

TEST(Messages, end_anywhere_without_harm) {
  const std::string whole = encode(some_alive());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_NE(error_of(whole.substr(0, size)), "") << size;
  }
}

TEST(Alive, keeps_the_address_as_it_came) {
  Alive alive = some_alive();
  alive.ip = *Ip::parse("::ffff:10.0.0.1");
  EXPECT_EQ(decoded<Alive>(encode(alive)).ip.wire().size(), 16u);
}

// An alive with other bytes where its versions are.
std::string alive_with(std::string_view versions) {
  std::string bytes = encode(some_alive());
  bytes.resize(bytes.size() - 7);
  codec::MsgpackWriter(bytes).raw_or_nil(versions);
  return bytes;
}

TEST(Alive, is_refused_unless_it_has_six_sane_versions) {
  EXPECT_EQ(error_of(alive_with({"\1\5\2\2\5\4", 6})), "");
  EXPECT_EQ(error_of(alive_with("")), "alive: 0 bytes of versions instead of 6");
  EXPECT_EQ(error_of(alive_with("\1\5\2\2\5")), "alive: 5 bytes of versions instead of 6");
  EXPECT_EQ(error_of(alive_with("\1\5\2\2\5\4\1")), "alive: 7 bytes of versions instead of 6");
  for (const char* insane : {"000502020504", "010002020504", "050402020504"}) {
    EXPECT_NE(error_of(alive_with(from_hex(insane))).find("make no sense"), std::string::npos);
  }
}

}  // namespace
}  // namespace dkron::gossip
