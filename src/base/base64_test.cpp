#include "base/base64.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace dkron {
namespace {

std::string decoded(std::string_view text) {
  const auto bytes = decode_base64(text);
  return bytes ? *bytes : "!" + bytes.error().message;
}

TEST(Base64, decodes_base64) {
  EXPECT_EQ(decoded(""), "");
  EXPECT_EQ(decoded("aGVsbG8="), "hello");
  EXPECT_EQ(decoded("aGVs\r\nbG8=\n"), "hello");
  EXPECT_EQ(decoded("aGVsbA=="), "hell");
  EXPECT_EQ(decoded("aGVsbA=\n="), "hell");
  EXPECT_EQ(decoded(encode_base64(std::string("\0\xff\x10", 3))), std::string("\0\xff\x10", 3));
}

TEST(Base64, names_the_byte_where_base64_is_broken) {
  EXPECT_EQ(decoded("aG!s"), "!illegal base64 data at input byte 2");
  EXPECT_EQ(decoded("aGVsbG8"), "!illegal base64 data at input byte 4");
  EXPECT_EQ(decoded("=GVs"), "!illegal base64 data at input byte 0");
  EXPECT_EQ(decoded("aGVsbA="), "!illegal base64 data at input byte 7");
  EXPECT_EQ(decoded("aGVsbG8=x"), "!illegal base64 data at input byte 8");
}

TEST(Base64, encodes_base64) {
  EXPECT_EQ(encode_base64("hello"), "aGVsbG8=");
  EXPECT_EQ(encode_base64("hell"), "aGVsbA==");
  EXPECT_EQ(encode_base64("user:secret"), "dXNlcjpzZWNyZXQ=");
}

TEST(Base64, gives_back_every_byte) {
  for (std::size_t size = 0; size < 70; ++size) {
    const std::string bytes = random_bytes(size);
    EXPECT_EQ(*decode_base64(encode_base64(bytes)), bytes);
  }
}

}  // namespace
}  // namespace dkron
