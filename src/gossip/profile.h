// Profile: memberlist's timings for a local network, a wide one, or one machine, and how they
// scale.
//
// The numbers are memberlist's DefaultLANConfig, DefaultWANConfig and DefaultLocalConfig; the
// formulas take the number of nodes in the table, whatever their state. Source: the gossip
// specification 6.2.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/error.h"
#include "base/time.h"

namespace dkron::gossip {

struct Profile {
  Duration tcp_timeout = seconds(10);
  int indirect_checks = 3;
  int retransmit_mult = 4;
  int suspicion_mult = 4;
  int suspicion_max_timeout_mult = 6;
  Duration push_pull_interval = seconds(30);
  Duration probe_timeout = milliseconds(500);
  Duration probe_interval = seconds(1);
  Duration gossip_interval = milliseconds(200);
  int gossip_nodes = 3;
  Duration gossip_to_the_dead_time = seconds(30);
  int awareness_max_multiplier = 8;
  std::size_t packet_budget_bytes = 1400;
};

// "lan", "wan" or "local"; another word is InvalidArgument.
Result<Profile> find_profile(std::string_view name);

// How often one broadcast is sent: mult * ceil(log10(nodes + 1)).
int retransmit_limit(int mult, std::size_t nodes);
Duration suspicion_min_timeout(const Profile& profile, std::size_t nodes);
Duration push_pull_interval(const Profile& profile, std::size_t nodes);

}  // namespace dkron::gossip
