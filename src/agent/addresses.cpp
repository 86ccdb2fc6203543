#include "agent/addresses.h"

#include "agent/daemon.h"
#include "base/base64.h"

namespace dkron::agent {
namespace {

constexpr std::uint16_t kDefaultHttpPort = 8080;
constexpr std::uint16_t kDefaultGossipPort = 8946;

tl::unexpected<Error> no_serf(const std::string& reason) {
  return fail(ErrorCode::InvalidArgument, "agent: Can not setup serf, " + reason);
}

}  // namespace

Result<Addresses> resolve_addresses(const config::Config& config) {
  Addresses addresses;
  auto bind_text = config::render_address(config.bind_addr);
  if (!bind_text)
    return fail(bind_text.error().code,
                "bind address resolution failed: " + bind_text.error().message);
  auto bind = config::split_host_port(*bind_text, kDefaultGossipPort);
  if (bind && !bind->host.empty()) {
    auto ip = config::resolve_host(bind->host);
    if (ip) bind->host = *ip;
    if (!ip) bind = fail(ip.error());
  }
  if (!bind) {
    return fail(ErrorCode::InvalidArgument,
                "agent: Can not setup serf, invalid bind address: " + bind.error().message);
  }
  auto http_text = config::render_address(config.http_addr);
  auto http = http_text ? config::split_host_port(*http_text, kDefaultHttpPort)
                        : Result<config::HostPort>(fail(http_text.error()));
  if (!http) {
    return fail(ErrorCode::InvalidArgument,
                "HTTP address resolution failed: " + http.error().message);
  }
  auto advertise_text = config::render_address(config.advertise_addr);
  if (!advertise_text) return fail(advertise_text.error());
  auto advertised = config::advertised_address(*advertise_text, *bind, config.devmode);
  if (!advertised) return fail(advertised.error());
  addresses.http = *http;
  addresses.bind = *bind;
  addresses.gossip = *advertised;
  addresses.rpc_host = advertised->host;
  addresses.rpc_port = config.advertise_rpc_port;
  return addresses;
}

std::string Addresses::rpc() const {
  return config::join_host_port(rpc_host, static_cast<std::uint16_t>(rpc_port));
}

// Spec cli 7.
std::map<std::string, std::string> member_tags(const config::Config& config,
                                               const Addresses& addresses) {
  auto tags = config.tags;
  tags["role"] = "dkron";
  tags["dc"] = config.datacenter;
  tags["region"] = config.region;
  tags["version"] = version();
  if (config.server) tags["server"] = "true";
  if (config.server && config.bootstrap) tags["bootstrap"] = "1";
  if (config.server && config.bootstrap_expect != 0)
    tags["expect"] = std::to_string(config.bootstrap_expect);
  tags["rpc_addr"] = addresses.rpc();
  tags["port"] = std::to_string(addresses.rpc_port);
  return tags;
}

Result<Membership::Options> membership_options(const config::Config& config,
                                               const Addresses& addresses,
                                               std::map<std::string, std::string> tags) {
  Membership::Options options;
  const auto bind = gossip::Ip::parse(addresses.bind.host);
  const auto advertised = gossip::Ip::parse(addresses.gossip.host);
  if (!advertised) return no_serf("invalid advertise address: " + addresses.gossip.host);
  options.gossip.bind = {bind.value_or(gossip::Ip()), addresses.bind.port};
  options.gossip.keyring_file = config.data_dir / "keyring.json";
  options.memory_file = config.data_dir / "members.snapshot";
  if (!config.encrypt.empty()) {
    auto key = decode_base64(config.encrypt);
    if (!key) return no_serf("invalid encryption key: " + key.error().message);
    options.gossip.keys = {std::move(*key)};
  }
  auto profile = gossip::find_profile(config.profile);
  if (!profile) return no_serf("unknown profile: " + config.profile);
  gossip::Serf::Options& serf = options.gossip.serf;
  serf.name = config.node_name;
  serf.advertise = {*advertised, addresses.gossip.port};
  serf.tags = std::move(tags);
  serf.profile = *profile;
  serf.reconnect_timeout = config.serf_reconnect_timeout;
  // Dkron differs: news of members counts at once, where the original gathers it for a second.
  serf.coalesce_period = Duration(0);
  options.join = {config.join,
                  config.retry_join,
                  config.retry_max,
                  config.retry_interval,
                  addresses.bind.port != 0 ? addresses.bind.port : kDefaultGossipPort,
                  {}};
  return options;
}

}  // namespace dkron::agent
