#include "gossip/profile.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace dkron::gossip {
namespace {

Profile wan_profile() {
  Profile profile;
  profile.tcp_timeout = seconds(30);
  profile.suspicion_mult = 6;
  profile.push_pull_interval = seconds(60);
  profile.probe_timeout = seconds(3);
  profile.probe_interval = seconds(5);
  profile.gossip_interval = milliseconds(500);
  profile.gossip_nodes = 4;
  profile.gossip_to_the_dead_time = seconds(60);
  return profile;
}

Profile local_profile() {
  Profile profile;
  profile.tcp_timeout = seconds(1);
  profile.indirect_checks = 1;
  profile.retransmit_mult = 2;
  profile.suspicion_mult = 3;
  profile.push_pull_interval = seconds(15);
  profile.probe_timeout = milliseconds(200);
  profile.gossip_interval = milliseconds(100);
  profile.gossip_to_the_dead_time = seconds(15);
  return profile;
}

}  // namespace

Result<Profile> find_profile(std::string_view name) {
  if (name == "lan") return Profile{};
  if (name == "wan") return wan_profile();
  if (name == "local") return local_profile();
  return fail(ErrorCode::InvalidArgument,
              "unknown profile \"" + std::string(name) + "\": lan, wan or local");
}

int retransmit_limit(int mult, std::size_t nodes) {
  return mult * static_cast<int>(std::ceil(std::log10(static_cast<double>(nodes) + 1)));
}

Duration suspicion_min_timeout(const Profile& profile, std::size_t nodes) {
  const double scale = std::max(1.0, std::log10(std::max(1.0, static_cast<double>(nodes))));
  // Three decimals of the factor count, as in the reference.
  const auto thousandths = static_cast<std::int64_t>(scale * 1000);
  return profile.suspicion_mult * thousandths * profile.probe_interval / 1000;
}

Duration push_pull_interval(const Profile& profile, std::size_t nodes) {
  constexpr std::size_t kScaleAbove = 32;
  if (nodes <= kScaleAbove) return profile.push_pull_interval;
  const double levels = std::log2(static_cast<double>(nodes)) - std::log2(kScaleAbove);
  return (static_cast<int>(std::ceil(levels)) + 1) * profile.push_pull_interval;
}

}  // namespace dkron::gossip
