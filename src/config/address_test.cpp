#include "config/address.h"

#include <gtest/gtest.h>

namespace dkron::config {
namespace {

TEST(Address, splits_hosts_and_ports) {
  EXPECT_EQ(split_host_port(":8080", 1)->port, 8080);
  EXPECT_EQ(split_host_port(":8080", 1)->host, "");
  EXPECT_EQ(split_host_port("a", 7)->port, 7);
  EXPECT_EQ(split_host_port("[::1]:9", 7)->host, "::1");
  EXPECT_EQ(split_host_port("[::1]", 7)->port, 7);
  EXPECT_EQ(split_host_port("999:1:1", 7).error().message,
            "address 999:1:1: too many colons in address");
  EXPECT_FALSE(split_host_port("a:b", 7));
  EXPECT_FALSE(split_host_port("a:70000", 7));
  EXPECT_FALSE(split_host_port("[::1", 7));
}

TEST(Address, joins_ipv6_with_brackets) {
  EXPECT_EQ(join_host_port("::1", 9), "[::1]:9");
  EXPECT_EQ(join_host_port("10.0.0.1", 9), "10.0.0.1:9");
}

TEST(Address, renders_templates_inside_text) {
  EXPECT_EQ(*render_address("{{ GetInterfaceIP \"lo\" }}:8080"), "127.0.0.1:8080");
  EXPECT_EQ(*render_address("{{GetPrivateIP}}:1"), private_ip() + ":1");
  EXPECT_EQ(*render_address("plain:1"), "plain:1");
  EXPECT_FALSE(render_address("{{ GetPrivateIP"));
  EXPECT_FALSE(render_address("{{ GetMoonIP }}"));
  EXPECT_EQ(render_address("10.0.0.1 10.0.0.2").error().message,
            "multiple addresses found (\"10.0.0.1 10.0.0.2\"), please configure one");
}

TEST(Address, advertises_what_others_can_reach) {
  EXPECT_EQ(advertised_address("", {"10.1.2.3", 99}, false)->host, "10.1.2.3");
  EXPECT_EQ(advertised_address("10.1.2.3", {"", 99}, false)->port, 99);
  EXPECT_EQ(advertised_address("127.0.0.1:5", {"127.0.0.1", 99}, false)->port, 5);
  EXPECT_FALSE(advertised_address("", {"127.0.0.1", 99}, false));
  EXPECT_TRUE(advertised_address("", {"127.0.0.1", 99}, true));
}

TEST(Address, knows_names_that_do_not_exist) {
  EXPECT_EQ(resolve_host("300.1.1.1").error().message, "lookup 300.1.1.1: no such host");
}

}  // namespace
}  // namespace dkron::config
