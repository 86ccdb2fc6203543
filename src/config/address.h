// Addresses in settings: templates, ports and names (spec cli 6).
//
// Blocking (interfaces, routes, DNS): at start only. Thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace dkron::config {

// Renders `{{ GetPrivateIP }}`, `{{ GetPublicIP }}`, `{{ GetInterfaceIP "eth0" }}` and the plural
// forms; other template functions are InvalidArgument. More than one address in the result is an
// error.
Result<std::string> render_address(std::string_view text);

struct HostPort {
  std::string host;  // Without brackets; "" = any.
  std::uint16_t port = 0;
};

// "host:port", ":port", "[::1]:port", "host" (then `default_port`). Errors carry Go's texts:
// `address 999:1:1: too many colons in address`.
Result<HostPort> split_host_port(std::string_view text, std::uint16_t default_port);
std::string join_host_port(std::string_view host, std::uint16_t port);  // Brackets around IPv6.

// One IP for a name or an IP; error `lookup nope.invalid: no such host`.
Result<std::string> resolve_host(const std::string& host);

// The address that others are told (spec cli 6): `advertise` when set, else the bind address when
// others can reach it, else the machine's private IP. Loopback is refused unless `allow_loopback`.
Result<HostPort> advertised_address(const std::string& advertise, const HostPort& bind,
                                    bool allow_loopback);

// The first private address (RFC 1918, RFC 4193 ...) of the interface with the default route, else
// of any interface; "" when there is none.
std::string private_ip();

}  // namespace dkron::config
