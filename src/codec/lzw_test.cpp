#include "codec/lzw.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "codec/test_golden.h"

namespace dkron::codec {
namespace {

using testing_support::from_hex;
using testing_support::load_golden;
using testing_support::text_of;
using testing_support::to_hex;

constexpr std::size_t kPlenty = 1 << 20;

TEST(Lzw, gives_the_bytes_of_the_reference) {
  std::size_t checked = 0;
  for (const auto& entry : load_golden("lzw_units.json")) {
    const std::string name = text_of(entry.at("name"));
    const std::string plain = from_hex(text_of(entry.at("plain_hex")));
    const std::string packed = from_hex(text_of(entry.at("lzw_hex")));
    EXPECT_EQ(to_hex(lzw_compress(plain)), to_hex(packed)) << name;
    const auto back = lzw_decompress(packed, kPlenty);
    ASSERT_TRUE(back) << name << ": " << back.error().message;
    EXPECT_EQ(*back, plain) << name;
    ++checked;
  }
  EXPECT_EQ(checked, 11u);
}

std::string random_text(std::mt19937_64& random) {
  const auto alphabet = 1 + random() % 256;
  std::string text(random() % 30'000, '\0');
  for (char& c : text) c = static_cast<char>(random() % alphabet);
  return text;
}

TEST(Lzw, brings_back_what_it_packed) {
  const char* given = std::getenv("SEED");
  const std::uint64_t seed = given ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  SCOPED_TRACE("SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 100; ++round) {
    const std::string text = random_text(random);
    const auto back = lzw_decompress(lzw_compress(text), text.size());
    ASSERT_TRUE(back) << back.error().message;
    ASSERT_EQ(*back, text);
  }
}

TEST(Lzw, brings_back_texts_of_every_length_around_the_steps_of_the_width) {
  for (std::size_t size = 0; size < 5'000; ++size) {
    std::string text;
    for (std::size_t i = 0; i < size; ++i) text.push_back(static_cast<char>(i * i >> 3));
    ASSERT_EQ(lzw_decompress(lzw_compress(text), kPlenty).value(), text) << size;
  }
}

TEST(Lzw, refuses_data_without_an_end) {
  const std::string packed = lzw_compress("something that ends");
  for (std::size_t size = 0; size + 1 < packed.size(); ++size) {
    const auto back = lzw_decompress(packed.substr(0, size), kPlenty);
    ASSERT_FALSE(back) << size;
    EXPECT_EQ(back.error().code, ErrorCode::Corrupt);
  }
}

// Codes of nine bits each.
std::string pack_codes(std::initializer_list<unsigned> codes) {
  std::string packed;
  unsigned bits = 0;
  unsigned count = 0;
  for (const unsigned code : codes) {
    bits |= code << count;
    for (count += 9; count >= 8; count -= 8, bits >>= 8) packed.push_back(static_cast<char>(bits));
  }
  packed.push_back(static_cast<char>(bits));
  return packed;
}

TEST(Lzw, refuses_codes_that_are_not_defined_yet) {
  EXPECT_TRUE(lzw_decompress(pack_codes({256, 'a', 258, 257}), kPlenty));
  EXPECT_FALSE(lzw_decompress(pack_codes({256, 'a', 259, 257}), kPlenty));
  EXPECT_FALSE(lzw_decompress(pack_codes({256, 258, 257}), kPlenty));
  EXPECT_FALSE(lzw_decompress(pack_codes({256, 'a', 'b', 256, 258, 257}), kPlenty));
}

TEST(Lzw, needs_no_clear_code_at_the_beginning) {
  EXPECT_EQ(lzw_decompress(pack_codes({'a', 258, 257}), kPlenty).value(), "aaa");
}

TEST(Lzw, stops_at_the_limit_of_its_output) {
  const std::string packed = lzw_compress(std::string(100'000, 'x'));
  EXPECT_TRUE(lzw_decompress(packed, 100'000));
  const auto back = lzw_decompress(packed, 99'999);
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().code, ErrorCode::TooLarge);
}

}  // namespace
}  // namespace dkron::codec
