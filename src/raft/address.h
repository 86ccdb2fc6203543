// Texts that name a server: "node_name@host:port" in the raft configuration, "host:port" elsewhere.
//
// The name may itself hold '@', so the last one counts; an IPv6 host stands in brackets.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace dkron::raft {

struct HostPort {
  std::string host;  // Without brackets.
  std::string port;
};

std::string server_address(std::string_view node_name, std::string_view host_port);

// Both parts of a server address; a text without '@' is all name.
struct NamedAddress {
  std::string node_name;
  std::string host_port;
};
NamedAddress split_server_address(std::string_view text);

std::optional<HostPort> find_host_port(std::string_view text);

}  // namespace dkron::raft
