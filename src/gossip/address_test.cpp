#include "gossip/address.h"

#include <gtest/gtest.h>

#include "codec/test_golden.h"

namespace dkron::gossip {
namespace {

using dkron::testing_support::from_hex;

Ip mapped() {
  return *Ip::from_wire(from_hex("00000000000000000000ffff0a000001"));
}

TEST(Ip, is_none_four_or_sixteen_bytes_on_the_wire) {
  EXPECT_TRUE(Ip::from_wire("")->is_absent());
  EXPECT_EQ(Ip::from_wire(from_hex("0a000001"))->to_string(), "10.0.0.1");
  EXPECT_EQ(Ip::from_wire(std::string(15, '\0') + '\1')->to_string(), "::1");
  for (const std::size_t size : {1u, 3u, 5u, 15u, 17u}) {
    EXPECT_FALSE(Ip::from_wire(std::string(size, 'x'))) << size;
  }
}

TEST(Ip, equals_its_mapped_form_but_keeps_its_bytes) {
  const Ip plain = *Ip::parse("10.0.0.1");
  EXPECT_EQ(mapped(), plain);
  EXPECT_EQ(mapped() <=> plain, std::strong_ordering::equal);
  EXPECT_EQ(mapped().to_string(), "10.0.0.1");
  EXPECT_TRUE(mapped().is_v4());
  EXPECT_EQ(mapped().wire().size(), 16u);
  EXPECT_EQ(plain.wire().size(), 4u);
}

TEST(Ip, knows_the_special_ones) {
  EXPECT_TRUE(Ip::parse("127.3.2.1")->is_loopback());
  EXPECT_TRUE(Ip::parse("::1")->is_loopback());
  EXPECT_TRUE(Ip::parse("::ffff:127.0.0.1")->is_loopback());
  EXPECT_FALSE(Ip::parse("128.0.0.1")->is_loopback());
  EXPECT_FALSE(Ip::parse("::2")->is_loopback());
  EXPECT_TRUE(Ip::parse("0.0.0.0")->is_unspecified());
  EXPECT_TRUE(Ip::parse("::")->is_unspecified());
  EXPECT_FALSE(Ip::parse("0.0.0.1")->is_unspecified());
  EXPECT_FALSE(Ip().is_unspecified());
  EXPECT_FALSE(Ip().is_loopback());
}

TEST(Ip, is_parsed_only_whole) {
  EXPECT_FALSE(Ip::parse(""));
  EXPECT_FALSE(Ip::parse("10.0.0"));
  EXPECT_FALSE(Ip::parse("10.0.0.1:8946"));
  EXPECT_FALSE(Ip::parse(std::string_view("10.0.0.1\0", 9)));
  EXPECT_FALSE(Ip::parse("host"));
}

TEST(Endpoint, has_brackets_around_version_six) {
  EXPECT_EQ((Endpoint{*Ip::parse("10.0.0.1"), 8946}.to_string()), "10.0.0.1:8946");
  EXPECT_EQ((Endpoint{*Ip::parse("fe80::1"), 1}.to_string()), "[fe80::1]:1");
  EXPECT_EQ((Endpoint{mapped(), 1}), (Endpoint{*Ip::parse("10.0.0.1"), 1}));
}

}  // namespace
}  // namespace dkron::gossip
