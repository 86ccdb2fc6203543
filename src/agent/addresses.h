// What a node tells of itself: its addresses, its tags, and how its gossip is set up (spec cli 6,
// 7).
#pragma once

#include <map>
#include <string>

#include "agent/membership.h"
#include "config/address.h"
#include "config/config.h"

namespace dkron::agent {

struct Addresses {
  config::HostPort http;
  config::HostPort bind;    // Of gossip; the host is an IP or empty.
  config::HostPort gossip;  // Advertised.
  std::string rpc_host;     // Advertised,
  int rpc_port = 0;         // with this port; 0 until it is bound.
  std::string rpc() const;  // host:port
};

// Blocking (names, interfaces). Errors are those of spec cli 6.
Result<Addresses> resolve_addresses(const config::Config& config);

// The user's tags and dkron's own.
std::map<std::string, std::string> member_tags(const config::Config& config,
                                               const Addresses& addresses);

// InvalidArgument: an unknown profile, a key that is none.
Result<Membership::Options> membership_options(const config::Config& config,
                                               const Addresses& addresses,
                                               std::map<std::string, std::string> tags);

}  // namespace dkron::agent
