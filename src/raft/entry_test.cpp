#include "raft/entry.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "raft/test_support.h"

namespace dkron::raft {
namespace {

std::string encode(const std::vector<Command>& commands) {
  std::vector<const Command*> pointers;
  std::size_t bytes = 0;
  for (const Command& command : commands) {
    pointers.push_back(&command);
    bytes += encoded_size(command);
  }
  std::string entry(entry_size(bytes), 'x');
  encode_entry(pointers, entry.data());
  return entry;
}

TEST(Entry, comes_back_as_it_was_for_every_payload_length) {
  for (std::size_t length = 0; length <= 64; ++length) {
    const std::string entry =
        encode({{1, 2, 3, std::string(length, 'a')}, {65535, 0, ~std::uint64_t{0}, "b"}});
    ASSERT_EQ(entry.size() % 8, 0u);
    auto commands = decode_entry(entry);
    ASSERT_TRUE(commands) << commands.error().message;
    ASSERT_EQ(commands->size(), 2u);
    EXPECT_EQ((*commands)[0].kind, 1);
    EXPECT_EQ((*commands)[0].version, 2);
    EXPECT_EQ((*commands)[0].request_id, 3u);
    EXPECT_EQ((*commands)[0].payload, std::string(length, 'a'));
    EXPECT_EQ((*commands)[1].kind, 65535);
    EXPECT_EQ((*commands)[1].request_id, ~std::uint64_t{0});
    EXPECT_EQ((*commands)[1].payload, "b");
  }
}

TEST(Entry, refuses_every_single_flipped_bit) {
  const std::string entry = encode({{1, 2, 3, "payload"}, {4, 5, 6, "q"}});
  for (std::size_t bit = 0; bit < entry.size() * 8; ++bit) {
    std::string damaged = entry;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    auto commands = decode_entry(damaged);
    ASSERT_FALSE(commands) << "bit " << bit;
    EXPECT_EQ(commands.error().code, ErrorCode::Corrupt);
  }
}

TEST(Entry, refuses_every_truncation_and_an_extension) {
  const std::string entry = encode({{1, 2, 3, "payload"}});
  for (std::size_t size = 0; size < entry.size(); ++size) {
    EXPECT_FALSE(decode_entry(std::string_view(entry).substr(0, size))) << size;
  }
  EXPECT_FALSE(decode_entry(entry + std::string(8, '\0')));
}

TEST(Entry, survives_random_bytes) {
  SeededRandom random(testing::test_seed());
  for (int round = 0; round < 20000; ++round) {
    std::string bytes(random.below(128), '\0');
    for (char& byte : bytes) byte = static_cast<char>(random.next());
    if (bytes.size() >= 8) bytes.replace(0, 8, std::string("\1\0\0\0\0\0\0\0", 8));
    EXPECT_FALSE(decode_entry(bytes));
  }
}

}  // namespace
}  // namespace dkron::raft
