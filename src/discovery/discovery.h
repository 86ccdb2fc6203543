// discover: which addresses one text of `join` or `retry-join` stands for, right now.
//
// Plain forms: "10.0.0.5", "10.0.0.5:8946", "[::1]:8946", "name", "name:8946" (all addresses that
// the name has), an address template (config/address.h), and "_service._proto.domain" (SRV). With
// `provider=NAME key=value ...` a discovery provider: k8s, mdns, dns, srv, exec; a provider of a
// cloud that is not built in is an error that says what to use instead. Nothing is cached: names
// are asked anew at every call. Blocks up to `timeout`; thread-safe; for worker threads. Source:
// engine 6, cli "retry-join".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "config/address.h"

namespace dkron::discovery {

inline constexpr std::size_t kMaxAddresses = 1024;

// Hosts in the result are IP addresses, each pair of host and port once. No address at all is an
// error (NotFound) that names the host, the service or the provider; never a provider's other keys,
// which may be secrets.
Result<std::vector<config::HostPort>> discover(std::string_view text, std::uint16_t default_port,
                                               Duration timeout);

// The providers that work, for the log line of the original ("dns exec k8s ...").
std::string provider_names();

}  // namespace dkron::discovery
