#include "config/config.h"

#include <gtest/gtest.h>

#include <fstream>

namespace dkron::config {
namespace {

class ConfigTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "dkron-config-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    sources_.home = directory_ / "home";
    sources_.working_directory = directory_;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  Path write(const std::string& name, const std::string& content) {
    std::filesystem::create_directories((directory_ / name).parent_path());
    std::ofstream(directory_ / name) << content;
    return directory_ / name;
  }
  Result<Loaded> load_with(std::vector<std::string> arguments) {
    auto flags = parse_flags(arguments, agent_options());
    if (!flags) return fail(flags.error());
    sources_.flags = *flags;
    return load(sources_);
  }
  std::string error_of(std::vector<std::string> arguments) {
    auto loaded = load_with(std::move(arguments));
    return loaded ? "" : loaded.error().message;
  }

  Path directory_;
  Sources sources_;
};

TEST_F(ConfigTest, has_the_defaults_of_the_reference) {
  const auto loaded = load_with({});
  ASSERT_TRUE(loaded);
  EXPECT_FALSE(loaded->file);
  EXPECT_EQ(loaded->config.http_addr, ":8080");
  EXPECT_EQ(loaded->config.bind_addr, "{{ GetPrivateIP }}:8946");
  EXPECT_EQ(loaded->config.rpc_port, 6868);
  EXPECT_EQ(loaded->config.advertise_rpc_port, 6868);
  EXPECT_EQ(loaded->config.data_dir, "dkron.data");
  EXPECT_EQ(loaded->config.raft_multiplier, 1);
  EXPECT_EQ(loaded->config.drain_timeout, seconds(30));
  EXPECT_TRUE(loaded->config.ui);
  EXPECT_FALSE(loaded->config.server);
  EXPECT_FALSE(loaded->config.node_name.empty());
}

TEST_F(ConfigTest, a_flag_beats_the_environment_which_beats_the_file) {
  write("config/dkron.yml", "region: file\ndatacenter: file\nhttp-addr: file:1\n");
  sources_.environment = {{"DKRON_REGION", "environment"},
                          {"DKRON_DATACENTER", "environment"},
                          {"DKRON_HTTP_ADDR", ""}};
  const auto loaded = load_with({"--region=flag"});
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->config.region, "flag");
  EXPECT_EQ(loaded->config.datacenter, "environment");
  EXPECT_EQ(loaded->config.http_addr, "file:1");  // An empty variable counts as unset.
}

TEST_F(ConfigTest, finds_a_file_in_the_home_and_the_config_directory) {
  const Path in_config = write("config/dkron.toml", "region = \"a\"\n");
  EXPECT_EQ(load_with({})->file, in_config);
  const Path in_home = write("home/.dkron/dkron.json", "{\"region\":\"b\"}");
  EXPECT_EQ(load_with({})->file, in_home);
}

TEST_F(ConfigTest, a_named_file_that_is_missing_or_broken_is_an_error) {
  EXPECT_NE(error_of({"--config", "nope.yml"}), "");
  write("broken.yml", "a:\n\t- b\n");
  EXPECT_NE(error_of({"--config", "broken.yml"}), "");
  EXPECT_NE(error_of({"--config", "."}), "");
}

TEST_F(ConfigTest, warns_of_unknown_keys_and_levels) {
  write("c.yml", "servr: true\nlog-level: loud\n");
  const auto loaded = load_with({"--config", "c.yml"});
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->warnings.size(), 2U);
  EXPECT_EQ(loaded->warnings[0], "unknown configuration key 'servr'");
}

TEST_F(ConfigTest, tags_come_from_flags_else_the_environment_else_the_file) {
  write("c.yml", "tags:\n  Role: web\n");
  EXPECT_EQ(load_with({"--config", "c.yml"})->config.tags,
            (std::map<std::string, std::string>{{"Role", "web"}}));
  sources_.environment = {{"DKRON_TAG", "a=b c=d,e"}};
  EXPECT_EQ(load_with({"--config", "c.yml"})->config.tags,
            (std::map<std::string, std::string>{{"a", "b"}, {"c", "d,e"}}));
  EXPECT_EQ(load_with({"--tag", "x=y=z"})->config.tags,
            (std::map<std::string, std::string>{{"x", "y=z"}}));
  sources_.environment = {{"DKRON_TAGS", "{\"q\":\"r\"}"}};
  EXPECT_EQ(load_with({})->config.tags, (std::map<std::string, std::string>{{"q", "r"}}));
}

TEST_F(ConfigTest, refuses_malformed_and_reserved_tags) {
  EXPECT_EQ(error_of({"--tag", "novalue"}),
            "config: Error unmarshalling cli tags: invalid tag: 'novalue'");
  EXPECT_EQ(error_of({"--tag", "region=x"}),
            "config: tag 'region' is set by dkron itself and cannot be given");
}

TEST_F(ConfigTest, checks_numbers_and_times) {
  EXPECT_EQ(error_of({"--raft-multiplier=11"}),
            "raft-multiplier cannot be 11. Must be between 0 and 10");
  EXPECT_EQ(load_with({"--raft-multiplier=0"})->config.raft_multiplier, 1);
  EXPECT_NE(error_of({"--retry-interval=soon"}), "");
  EXPECT_NE(error_of({"--agent-run-max-retries=-1"}), "");
  EXPECT_EQ(load_with({"--advertise-rpc-port=-1"})->config.advertise_rpc_port, 6868);
  write("c.yml", "rpc-port: abc\n");
  EXPECT_NE(error_of({"--config", "c.yml"}), "");
}

TEST_F(ConfigTest, takes_certificates_together_or_not_at_all) {
  EXPECT_FALSE(load_with({"--auto-tls=false"})->config.tls.is_on());
  const auto loaded = load_with({"--cert-file=c", "--key-file=k", "--trusted-ca-file=t",
                                 "--client-cert-auth", "--client-crl-file=r"});
  ASSERT_TRUE(loaded) << loaded.error().message;
  const Tls& tls = loaded->config.tls;
  EXPECT_TRUE(tls.is_on() && tls.verify_clients && tls.for_http);
  EXPECT_EQ(tls.certificate, "c");
  EXPECT_EQ(tls.key, "k");
  EXPECT_EQ(tls.trusted, "t");
  EXPECT_EQ(tls.revoked, "r");
  const std::string together = "config: cert-file, key-file and trusted-ca-file belong together";
  EXPECT_EQ(error_of({"--cert-file=c", "--key-file=k"}), together);
  EXPECT_EQ(error_of({"--trusted-ca-file=t"}), together);
  EXPECT_EQ(error_of({"--client-cert-auth"}),
            "config: client-cert-auth needs cert-file, key-file and trusted-ca-file");
  EXPECT_NE(error_of({"--auto-tls"}), "");
}

TEST_F(ConfigTest, says_what_is_not_there_yet) {
  EXPECT_EQ(error_of({"--mail-host=x"}),
            "config: 'mail-host' is not available yet in this version");
}

}  // namespace
}  // namespace dkron::config
