#include "gossip/keyring.h"

#include <gtest/gtest.h>

#include "base/base64.h"

namespace dkron::gossip {
namespace {

const std::string kShort(16, 's');
const std::string kMiddle(24, 'm');
const std::string kLong(32, 'l');

Keyring ring_of(std::vector<std::string> keys) {
  return Keyring::make(std::move(keys)).value();
}

TEST(Keyring, takes_only_keys_of_the_sizes_of_aes) {
  for (std::size_t size = 0; size < 40; ++size) {
    const bool fits = size == 16 || size == 24 || size == 32;
    EXPECT_EQ(Keyring::make({std::string(size, 'k')}).has_value(), fits) << size;
  }
  EXPECT_FALSE(Keyring::make({}));
  EXPECT_EQ(ring_of({kShort, kShort}).keys().size(), 1u);
}

TEST(Keyring, rotates_by_install_use_and_remove) {
  Keyring ring = ring_of({kShort});
  EXPECT_TRUE(ring.install(kLong));
  EXPECT_TRUE(ring.install(kLong));
  EXPECT_EQ(ring.keys(), (std::vector{kShort, kLong}));
  EXPECT_EQ(ring.use(kMiddle).error().code, ErrorCode::NotFound);
  EXPECT_TRUE(ring.use(kLong));
  EXPECT_EQ(ring.keys(), (std::vector{kLong, kShort}));
  EXPECT_EQ(ring.remove(kLong).error().code, ErrorCode::Conflict);
  EXPECT_TRUE(ring.remove(kShort));
  EXPECT_TRUE(ring.remove(kShort));
  EXPECT_EQ(ring.keys(), (std::vector{kLong}));
}

TEST(Keyring, keeps_the_order_of_the_others_when_one_comes_to_the_front) {
  Keyring ring = ring_of({kShort, kMiddle, kLong});
  EXPECT_TRUE(ring.use(kLong));
  EXPECT_EQ(ring.keys(), (std::vector{kLong, kShort, kMiddle}));
}

TEST(Keyring, holds_a_bounded_number_of_keys) {
  Keyring ring = ring_of({kShort});
  for (std::size_t i = 1; i < Keyring::kMaxKeys; ++i) {
    ASSERT_TRUE(ring.install(std::string(16, static_cast<char>(i))));
  }
  EXPECT_EQ(ring.install(kLong).error().code, ErrorCode::TooLarge);
  EXPECT_TRUE(ring.install(kShort));
}

TEST(Keyring, opens_what_any_of_its_keys_sealed) {
  const Keyring both = ring_of({kShort, kLong});
  for (const std::string& key : {kShort, kMiddle, kLong}) {
    for (const std::string& text : {std::string(), std::string("x"), std::string(5'000, 'y')}) {
      const std::string sealed = ring_of({key}).seal(text, "label");
      EXPECT_EQ(sealed.size(), text.size() + Keyring::kOverheadBytes);
      EXPECT_EQ(both.open(sealed, "label").value_or("no"), key == kMiddle ? "no" : text);
    }
  }
}

TEST(Keyring, never_uses_a_nonce_twice) {
  const Keyring ring = ring_of({kLong});
  EXPECT_NE(ring.seal("text", ""), ring.seal("text", ""));
}

TEST(Keyring, refuses_what_was_changed_or_meant_for_another_place) {
  const Keyring ring = ring_of({kLong});
  const std::string sealed = ring.seal("some text", "label");
  EXPECT_FALSE(ring.open(sealed, ""));
  EXPECT_FALSE(ring.open(sealed, "labem"));
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    std::string changed = sealed;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    const auto opened = ring.open(changed, "label");
    ASSERT_FALSE(opened) << i;
    EXPECT_EQ(opened.error().code, ErrorCode::Corrupt);
    EXPECT_FALSE(ring.open(sealed.substr(0, i), "label")) << i;
  }
}

TEST(Keyring, refuses_versions_that_do_not_exist) {
  std::string sealed = ring_of({kLong}).seal("some text", "");
  sealed[0] = 2;
  EXPECT_NE(ring_of({kLong}).open(sealed, "").error().message.find("version 2"), std::string::npos);
}

TEST(KeyringFile, comes_back_as_it_was_written) {
  const Keyring ring = ring_of({kLong, kShort, kMiddle});
  const auto back = parse_keyring(format_keyring(ring));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->keys(), ring.keys());
}

TEST(KeyringFile, is_refused_with_a_reason_when_it_is_something_else) {
  for (const char* text : {"", "{}", "[]", "[1]", "[\"!\"]", "[\"c2hvcnQ=\"]", "[\"", "null"}) {
    const auto ring = parse_keyring(text);
    ASSERT_FALSE(ring) << text;
    EXPECT_FALSE(ring.error().message.empty()) << text;
  }
  EXPECT_FALSE(parse_keyring(std::string(10'000, '[')));
  EXPECT_EQ(parse_keyring(std::string(kMaxKeyringFileBytes + 1, ' ')).error().code,
            ErrorCode::TooLarge);
}

}  // namespace
}  // namespace dkron::gossip
