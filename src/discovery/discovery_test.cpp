#include "discovery/discovery.h"

#include "discovery/exec.h"
#include "discovery/test_support.h"

namespace dkron::discovery {
namespace {

using test::make_query;
using test::show;

std::string found(std::string_view text) {
  return show(discover(text, 8946, seconds(20)));
}

TEST(Discovery, gives_plain_addresses_as_they_are) {
  EXPECT_EQ(found("10.0.0.5"), "10.0.0.5:8946");
  EXPECT_EQ(found("[::1]:7"), "[::1]:7");
  EXPECT_EQ(found("node:0"), "error: address \"node:0\": invalid port");
}

TEST(Discovery, renders_address_templates) {
  EXPECT_EQ(found(R"({{ GetInterfaceIP "lo" }}:9)"), "127.0.0.1:9");
  EXPECT_EQ(found("{{ Nonsense }}"),
            "error: the address template {{ Nonsense }} is not available yet");
}

TEST(Discovery, resolves_names_by_the_provider_dns) {
  const auto result = discover("provider=dns name=localhost port=7", 8946, seconds(20));
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->front().port, 7);
  EXPECT_EQ(found("provider=dns"), "error: discover-dns: missing name");
  EXPECT_EQ(found("provider=dns name=x port=0"), "error: discover-dns: port must be 1 to 65535");
  EXPECT_EQ(found("provider=dns name=\"a b\""), "error: discover-dns: address \"a b\": not a host");
}

TEST(Discovery, gives_each_address_once) {
  EXPECT_EQ(found("provider=exec command=\"printf '10.0.0.1\\\\n10.0.0.1\\\\n10.0.0.2'\""),
            "10.0.0.1:8946 10.0.0.2:8946");
}

TEST(Discovery, tells_what_is_wrong_with_a_provider_text) {
  EXPECT_EQ(found("provider="), "error: discover: provider: missing value");
  EXPECT_EQ(found("provider=\"\""), "error: discover: no provider");
  EXPECT_EQ(found("xprovider=a"), "error: discover: no provider");
  EXPECT_EQ(found("provider=nowhere"), "error: discover: unknown provider nowhere");
  EXPECT_EQ(found("provider=k8s label=x"),
            "error: discover-k8s: unknown key \"label\", known are: kubeconfig namespace "
            "label_selector field_selector host_network");
}

TEST(Discovery, says_for_every_cloud_what_to_use_instead) {
  for (const std::string cloud :
       {"aliyun", "aws", "azure", "digitalocean", "gce", "linode", "os", "packet", "scaleway",
        "softlayer", "tencentcloud", "triton", "vsphere"}) {
    const auto result = discover("provider=" + cloud + " key=hidden", 8946, seconds(20));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::InvalidArgument);
    const std::string& text = result.error().message;
    EXPECT_EQ(text.find("discover-" + cloud + ": the provider " + cloud + " is not built in"), 0U);
    EXPECT_NE(text.find("provider=exec"), text.npos);
    EXPECT_EQ(text.find("hidden"), text.npos);
  }
}

TEST(Discovery, names_no_secret_when_a_provider_finds_nothing) {
  const auto result = discover("provider=exec command=\": hidden\"", 8946, seconds(20));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::NotFound);
  EXPECT_EQ(result.error().message, "discover-exec: no address found");
}

TEST(Discovery, lists_the_providers_that_work) {
  EXPECT_EQ(provider_names(), "dns exec k8s mdns srv");
}

std::string ran(const std::string& command, const std::string& timeout = "") {
  return show(exec_provider(make_query({{"command", command}, {"timeout", timeout}})));
}

TEST(Exec, takes_one_address_per_line_and_passes_over_comments) {
  EXPECT_EQ(ran("echo '# servers'; echo; echo ' 10.0.0.1 '; printf '[fd00::1]:7'"),
            "10.0.0.1:8946 [fd00::1]:7");
}

TEST(Exec, tells_how_the_command_failed_and_what_it_said_first) {
  EXPECT_EQ(ran("echo 10.0.0.1; echo no credentials >&2; echo more >&2; exit 3"),
            "error: discover-exec: exit status 3: no credentials");
  EXPECT_EQ(ran("exit 1"), "error: discover-exec: exit status 1");
}

TEST(Exec, refuses_a_list_with_a_line_that_is_no_address) {
  EXPECT_EQ(ran("echo 10.0.0.1; echo '<html>'"),
            "error: discover-exec: the command printed \"<html>\", which is no address");
}

TEST(Exec, is_bounded_in_time_bytes_and_lines) {
  EXPECT_EQ(ran("sleep 1000", "20ms"), "error: discover-exec: no end within 20ms");
  EXPECT_EQ(ran("while :; do echo 10.0.0.1; done", "30s"),
            "error: discover-exec: more than 65536 bytes of output");
  EXPECT_EQ(ran("i=0; while [ $i -lt 1025 ]; do echo a; i=$((i+1)); done", "30s"),
            "error: discover-exec: the command printed more than 1024 addresses");
}

TEST(Exec, wants_a_command_and_a_readable_timeout) {
  EXPECT_EQ(ran(""), "error: discover-exec: missing command");
  EXPECT_EQ(ran("true", "5"),
            "error: discover-exec: Failed to parse timeout: time: missing unit in duration \"5\"");
}

}  // namespace
}  // namespace dkron::discovery
