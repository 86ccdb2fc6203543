#include "gossip/packet.h"

#include <gtest/gtest.h>

#include "codec/lzw.h"
#include "codec/test_golden.h"
#include "gossip/compress.h"

namespace dkron::gossip {
namespace {

using dkron::testing_support::from_hex;
using dkron::testing_support::to_hex;
using Messages = std::vector<std::string>;

const Keyring& ring() {
  static const Keyring made = Keyring::make({std::string(32, 'k')}).value();
  return made;
}

std::string compound(const Messages& parts) {
  return seal_packet(parts, false, {"", nullptr, false});
}

std::string error_of(std::string_view bytes, const Framing& framing = {}) {
  const auto opened = open_packet(bytes, framing);
  if (opened) return "";
  EXPECT_TRUE(opened.error().code == ErrorCode::Corrupt ||
              opened.error().code == ErrorCode::TooLarge);
  return opened.error().message;
}

TEST(Packet, comes_out_as_it_went_in_with_every_framing) {
  const std::string long_one = "\x08" + std::string(2'000, 'a');
  for (const Messages& messages : {Messages{"\x02x"}, Messages{"\x02x", long_one, "\x03y"}}) {
    for (const char* label : {"", "a-label"}) {
      for (const Keyring* keys : {static_cast<const Keyring*>(nullptr), &ring()}) {
        for (const bool flag : {false, true}) {
          const Framing framing{label, keys, flag};
          const auto opened = open_packet(seal_packet(messages, flag, framing), framing);
          ASSERT_TRUE(opened) << opened.error().message;
          EXPECT_EQ(opened->messages, messages);
        }
      }
    }
  }
}

TEST(Packet, is_compressed_only_when_that_makes_it_smaller) {
  const Framing framing{"", nullptr, true};
  EXPECT_EQ(seal_packet({"\x02x"}, false, framing), "\x02x");
  EXPECT_LT(seal_packet({"\x08" + std::string(500, 'a')}, false, framing).size(), 100u);
}

TEST(Packet, with_another_label_is_refused) {
  const std::string labelled = seal_packet({"\x02x"}, false, {"mine", nullptr, false});
  EXPECT_EQ(to_hex(labelled), "f4046d696e650278");
  EXPECT_EQ(error_of(labelled), "packet with another label");
  EXPECT_EQ(error_of(labelled, {"yours", nullptr, false}), "packet with another label");
  EXPECT_EQ(error_of("\x02x", {"mine", nullptr, false}), "packet with another label");
  EXPECT_EQ(error_of(from_hex("f400")), "packet with a broken label");
  EXPECT_EQ(error_of(from_hex("f4056d696e65")), "packet with a broken label");
  EXPECT_EQ(error_of(from_hex("f4")), "packet with a broken label");
}

TEST(Packet, of_a_node_with_other_encryption_is_refused) {
  const Framing sealed{"", &ring(), false};
  EXPECT_NE(error_of("\x02x", sealed), "");
  EXPECT_NE(error_of(std::string(100, '\1'), sealed), "");
  EXPECT_EQ(open_packet(seal_packet({"\x02x"}, true, sealed), sealed)->messages, Messages{"\x02x"});
}

TEST(Packet, with_a_wrong_checksum_is_refused) {
  const std::string good = from_hex(
      "0c35d8622e0383a446726f6da66e6f64652d62ab496e6361726e6174696f6e01a44e6f6465a66e6f64652d63");
  EXPECT_EQ(open_packet(good, {})->messages, Messages{good.substr(5)});
  EXPECT_EQ(seal_packet({good.substr(5)}, true, {"", nullptr, true}), good);
  for (std::size_t i = 1; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    EXPECT_EQ(error_of(bad), "packet with a wrong checksum");
  }
}

TEST(Packet, that_was_cut_off_gives_the_parts_that_are_whole) {
  const std::string whole = compound({"\x02one", "\x02two", "\x02three"});
  const auto opened = open_packet(std::string_view(whole).substr(0, whole.size() - 1), {});
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->messages, (Messages{"\x02one", "\x02two"}));
  EXPECT_EQ(opened->truncated, 1u);
  EXPECT_EQ(error_of(from_hex("07020001")), "compound without its lengths");
  EXPECT_EQ(error_of(from_hex("07")), "compound without its lengths");
}

TEST(Packet, keeps_the_good_parts_beside_broken_ones) {
  const std::string whole = compound({"\x02one", "\x09???", from_hex("0c00000000ff"), "\x02two"});
  const auto opened = open_packet(whole, {});
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->messages, (Messages{"\x02one", "\x02two"}));
  EXPECT_EQ(opened->malformed, 2u);
}

TEST(Packet, that_is_empty_is_refused) {
  EXPECT_NE(error_of(""), "");
  EXPECT_NE(error_of(from_hex("0c00000000")), "");
  EXPECT_NE(error_of(compress("")), "");
}

TEST(Packet, is_nested_to_a_bounded_depth) {
  std::string bytes = "\x02x";
  for (int level = 0; level < kMaxNesting; ++level) bytes = compress(bytes);
  EXPECT_TRUE(open_packet(bytes, {}));
  EXPECT_EQ(error_of(compress(bytes)), "packet nested too deeply");
}

TEST(Packet, grows_to_a_bounded_size_by_decompression) {
  const std::string just_right = "\x08" + std::string(kMaxPlainBytes - 1, 'a');
  EXPECT_TRUE(open_packet(compress(just_right), {}));
  EXPECT_NE(error_of(compress(just_right + "a")), "");
  const std::string half = compress("\x08" + std::string(kMaxPlainBytes / 2, 'a'));
  const auto opened = open_packet(compound({half, half, half}), {});
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->messages.size(), 1u);
  EXPECT_EQ(opened->malformed, 2u);
}

TEST(Packet, holds_a_bounded_number_of_messages) {
  const std::string inner = compound(Messages(kMaxCompoundParts, "\x02"));
  const auto opened = open_packet(compress(compound(Messages(100, inner))), {});
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->messages.size(), kMaxPacketMessages);
}

TEST(Packet, with_an_unknown_compression_is_refused) {
  EXPECT_EQ(error_of(from_hex("0982a4416c676f01a3427566a3000302")),
            "compressed message: unknown algorithm 1");
}

}  // namespace
}  // namespace dkron::gossip
