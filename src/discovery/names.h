// Plain forms of an address: IPs, and names with all the addresses they have.
//
// Names are asked of the system's resolver (getaddrinfo: hosts file, DNS, whatever it is set to),
// anew at every call. Blocking up to the deadline; thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "discovery/query.h"

namespace dkron::discovery {

// "10.0.0.5", "10.0.0.5:8946", "::1", "[::1]:8946", "name", "name:8946". InvalidArgument for
// others.
Result<config::HostPort> parse_plain(std::string_view text, std::uint16_t default_port);

bool is_ip(const std::string& host);

// Every host as IPs, in the order given. Hosts that have no address, or none in time, are left out;
// when nothing is left, the error is the first one's: `lookup nope.invalid: no such host`
// (NotFound).
Result<Addresses> resolve_all(std::span<const config::HostPort> hosts, Duration deadline);

// The text of an IP, as in a sockaddr or a DNS record: 4 or 16 bytes. Nothing for addresses that
// nobody can be joined at from here: unspecified, multicast, and link-local IPv6, whose interface
// an address alone does not tell.
std::optional<std::string> to_ip_text(std::span<const unsigned char> bytes);

}  // namespace dkron::discovery
