// SRV records: the servers behind `_service._proto.domain` (RFC 2782).
//
// Asked of the name servers of resolv.conf, over UDP and, when cut, TCP (libresolv). Blocking up to
// the query's deadline; thread-safe.
#pragma once

#include <optional>

#include "discovery/dns_packet.h"
#include "discovery/query.h"

namespace dkron::discovery {

// Every target with its own port, those of lower priority number first; their addresses are taken
// from the same answer where it has them, else resolved. `name_server`: asked instead, for tests.
Result<Addresses> find_srv(const std::string& name, const Query& query,
                           const std::optional<config::HostPort>& name_server = std::nullopt);

// "_dkron._tcp.example.com"
bool is_srv_name(std::string_view text);

// The hosts of an answer in the order to try them: IPs, and names that are still to be resolved.
// The final dot alone as target means that there is no such service.
Addresses srv_hosts(const std::vector<DnsRecord>& records);

// provider=srv service=dkron domain=example.com [proto=tcp]
Result<Addresses> srv_provider(const Query& query);

}  // namespace dkron::discovery
