// dkron_gossip_peer [--flag=value ...]: a bare gossip member for tests; see peer.h.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>
#include <string>

#include "base/base64.h"
#include "base/log.h"
#include "peer.h"

namespace {

using dkron::ErrorCode;
using dkron::fail;
using dkron::Result;

constexpr std::string_view kUsage =
    "usage: dkron_gossip_peer --name=NAME [--bind=IP:PORT] [--encrypt=BASE64 ...]\n"
    "         [--keyring-file=FILE] [--tag=KEY=VALUE ...] [--profile=lan|wan|local]\n"
    "         [--protocol=4] [--no-coalescing] [--log-level=LEVEL] and, in milliseconds,\n"
    "         [--reconnect-timeout] [--tombstone-timeout] [--reconnect-interval]\n"
    "         [--reap-interval]\n";

using Flags = std::multimap<std::string, std::string>;

Result<Flags> parse(int argc, char** argv) {
  static const std::set<std::string> known = {"name",
                                              "bind",
                                              "encrypt",
                                              "keyring-file",
                                              "tag",
                                              "profile",
                                              "protocol",
                                              "no-coalescing",
                                              "log-level",
                                              "reap-interval",
                                              "reconnect-timeout",
                                              "tombstone-timeout",
                                              "reconnect-interval"};
  Flags flags;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const std::size_t equals = std::min(word.find('='), word.size());
    const std::string name = word.starts_with("--") ? word.substr(2, equals - 2) : "";
    if (!known.contains(name)) return fail(ErrorCode::InvalidArgument, "unknown flag: " + word);
    flags.emplace(name, equals < word.size() ? word.substr(equals + 1) : "");
  }
  return flags;
}

std::string last(const Flags& flags, const std::string& name, std::string fallback) {
  const auto [begin, end] = flags.equal_range(name);
  return begin == end ? fallback : std::prev(end)->second;
}

void set_duration(const Flags& flags, const std::string& name, dkron::Duration& value) {
  const std::string text = last(flags, name, "");
  if (!text.empty()) value = dkron::milliseconds(std::atoll(text.c_str()));
}

Result<> set_keys(const Flags& flags, dkron::gossip::Service::Options& options) {
  const auto [begin, end] = flags.equal_range("encrypt");
  for (auto flag = begin; flag != end; ++flag) {
    auto key = dkron::decode_base64(flag->second);
    if (!key) return fail(key.error());
    options.keys.push_back(std::move(*key));
  }
  options.keyring_file = last(flags, "keyring-file", "");
  return {};
}

Result<dkron::gossip::Service::Options> to_options(const Flags& flags) {
  dkron::gossip::Service::Options options;
  const std::string bind = last(flags, "bind", "127.0.0.1:0");
  const std::size_t colon = std::min(bind.rfind(':'), bind.size());
  const auto ip = dkron::gossip::Ip::parse(bind.substr(0, colon));
  if (!ip) return fail(ErrorCode::InvalidArgument, "no address: " + bind);
  const int port = colon < bind.size() ? std::atoi(bind.c_str() + colon + 1) : 0;
  options.bind = {*ip, static_cast<std::uint16_t>(port)};

  dkron::gossip::Serf::Options& serf = options.serf;
  serf.advertise = options.bind;
  serf.name = last(flags, "name", "");
  if (serf.name.empty()) return fail(ErrorCode::InvalidArgument, "--name is missing");
  const auto profile = dkron::gossip::find_profile(last(flags, "profile", "lan"));
  if (!profile) return fail(profile.error());
  serf.profile = *profile;
  const int protocol = std::atoi(last(flags, "protocol", "4").c_str());
  serf.versions.delegate_current = static_cast<std::uint8_t>(protocol);
  set_duration(flags, "reconnect-timeout", serf.reconnect_timeout);
  set_duration(flags, "tombstone-timeout", serf.tombstone_timeout);
  set_duration(flags, "reconnect-interval", serf.reconnect_interval);
  set_duration(flags, "reap-interval", serf.reap_interval);
  if (flags.contains("no-coalescing")) serf.coalesce_period = {};
  const auto [begin, end] = flags.equal_range("tag");
  for (auto flag = begin; flag != end; ++flag) {
    const std::size_t equals = std::min(flag->second.find('='), flag->second.size());
    serf.tags[flag->second.substr(0, equals)] =
        equals < flag->second.size() ? flag->second.substr(equals + 1) : "";
  }
  if (auto set = set_keys(flags, options); !set) return fail(set.error());
  return options;
}

Result<int> run(int argc, char** argv) {
  const auto flags = parse(argc, argv);
  if (!flags) return fail(flags.error());
  const auto level = dkron::log::parse_level(last(*flags, "log-level", "debug"));
  if (!level) return fail(level.error());
  auto options = to_options(*flags);
  if (!options) return fail(options.error());
  dkron::log::configure({*level, dkron::log::Format::Text, options->serf.name});
  dkron::net::Loop loop;
  auto peer = dkron::serf_peer::Peer::start(loop, std::move(*options));
  if (!peer) return fail(peer.error());
  loop.run();
  return (*peer)->exit_status();
}

}  // namespace

int main(int argc, char** argv) {
  const Result<int> status = run(argc, argv);
  if (status) return *status;
  std::fprintf(stderr, "dkron_gossip_peer: %s\n%.*s", status.error().message.c_str(),
               static_cast<int>(kUsage.size()), kUsage.data());
  return 2;
}
