#include "base/base64.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace dkron {
namespace {

TEST(Base64, follows_the_examples_of_the_standard) {
  const std::pair<std::string, std::string> kExamples[] = {
      {"", ""},        {"f", "Zg=="},        {"fo", "Zm8="},
      {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}};
  for (const auto& [bytes, text] : kExamples) {
    EXPECT_EQ(to_base64(bytes), text);
    EXPECT_EQ(*from_base64(text), bytes);
  }
}

TEST(Base64, gives_back_every_byte) {
  for (std::size_t size = 0; size < 70; ++size) {
    const std::string bytes = random_bytes(size);
    EXPECT_EQ(*from_base64(to_base64(bytes)), bytes);
  }
}

TEST(Base64, refuses_what_is_none) {
  EXPECT_FALSE(from_base64("xyz"));
  EXPECT_FALSE(from_base64("Zg="));
  EXPECT_FALSE(from_base64("Z==="));
  EXPECT_FALSE(from_base64("Zg==Zg=="));
  EXPECT_FALSE(from_base64("Zm9v\n"));
  EXPECT_EQ(from_base64("xyz").error().message, "illegal base64 data at input byte 0");
}

}  // namespace
}  // namespace dkron
