#include "discovery/names.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/go_text.h"
#include "discovery/discovery.h"
#include "discovery/lookup_thread.h"

namespace dkron::discovery {
namespace {

constexpr std::size_t kNameLimit = 253;  // Of a DNS name without its final dot.

bool is_name(std::string_view host) {
  return !host.empty() && host.size() <= kNameLimit &&
         std::all_of(host.begin(), host.end(), [](char c) {
           const bool is_word =
               (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
           return is_word || c == '-' || c == '.' || c == '_' || static_cast<signed char>(c) < 0;
         });
}

std::optional<std::string> to_ip_text(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, address, sizeof v4);
    unsigned char bytes[4];
    std::memcpy(bytes, &v4.sin_addr, sizeof bytes);
    return discovery::to_ip_text(std::span<const unsigned char>(bytes));
  }
  if (address->sa_family != AF_INET6) return std::nullopt;
  sockaddr_in6 v6{};
  std::memcpy(&v6, address, sizeof v6);
  unsigned char bytes[16];
  std::memcpy(bytes, &v6.sin6_addr, sizeof bytes);
  return discovery::to_ip_text(std::span<const unsigned char>(bytes));
}

// A name that means this machine whatever the resolver knows (RFC 6761, 6.3): a bare system has no
// hosts file.
bool is_localhost(std::string_view host) {
  return host == "localhost" || host.ends_with(".localhost");
}

// Appends the addresses of one name.
Result<void> look_up(const config::HostPort& name, Addresses* found) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int code = ::getaddrinfo(name.host.c_str(), nullptr, &hints, &list);
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, &::freeaddrinfo);
  if (code != 0 && is_localhost(name.host)) {
    found->push_back({"127.0.0.1", name.port});
    return {};
  }
  if (code == EAI_NONAME || code == EAI_NODATA || code == EAI_ADDRFAMILY) {
    return fail(ErrorCode::NotFound, "lookup " + name.host + ": no such host");
  }
  if (code != 0) {
    return fail(ErrorCode::Unavailable, "lookup " + name.host + ": " + ::gai_strerror(code));
  }
  const std::size_t before = found->size();
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    if (found->size() >= kMaxAddresses) break;
    if (auto ip = to_ip_text(entry->ai_addr)) found->push_back({std::move(*ip), name.port});
  }
  if (found->size() == before && found->size() < kMaxAddresses) {
    return fail(ErrorCode::NotFound, "lookup " + name.host + ": no usable address");
  }
  return {};
}

// At least one host is a name.
Result<Addresses> look_up_all(const Addresses& hosts, Duration deadline) {
  Addresses found;
  std::optional<Error> first_error;
  for (const config::HostPort& host : hosts) {
    // Past the deadline nobody waits for the rest.
    if (found.size() >= kMaxAddresses || system_clock().steady() > deadline) break;
    if (is_ip(host.host)) {
      found.push_back(host);
    } else if (auto done = look_up(host, &found); !done && !first_error) {
      first_error = std::move(done.error());
    }
  }
  if (!found.empty()) return found;
  if (first_error) return fail(std::move(*first_error));
  return fail(ErrorCode::Timeout, "lookup " + hosts.front().host + ": i/o timeout");
}

}  // namespace

bool is_ip(const std::string& host) {
  unsigned char bytes[16];
  return ::inet_pton(AF_INET, host.c_str(), bytes) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

std::optional<std::string> to_ip_text(std::span<const unsigned char> bytes) {
  char text[INET6_ADDRSTRLEN];
  if (bytes.size() == 4) {
    const bool is_host = bytes[0] != 0 && bytes[0] < 224;
    if (!is_host || ::inet_ntop(AF_INET, bytes.data(), text, sizeof text) == nullptr) return {};
    return text;
  }
  if (bytes.size() != 16) return std::nullopt;
  in6_addr address;
  std::memcpy(&address, bytes.data(), sizeof address);
  if (IN6_IS_ADDR_V4MAPPED(&address)) return to_ip_text(bytes.subspan(12));
  const bool is_host = !IN6_IS_ADDR_UNSPECIFIED(&address) && !IN6_IS_ADDR_MULTICAST(&address) &&
                       !IN6_IS_ADDR_LINKLOCAL(&address);
  if (!is_host || ::inet_ntop(AF_INET6, &address, text, sizeof text) == nullptr) return {};
  return text;
}

Result<config::HostPort> parse_plain(std::string_view text, std::uint16_t default_port) {
  const std::string whole(text);
  if (whole.find('\0') == whole.npos && is_ip(whole)) {
    return config::HostPort{whole, default_port};  // An IPv6 address needs no brackets here.
  }
  auto parsed = config::split_host_port(text, default_port);
  if (!parsed) return parsed;
  const bool is_host = is_name(parsed->host) ||
                       (parsed->host.find('\0') == parsed->host.npos && is_ip(parsed->host));
  if (!is_host) {
    return fail(ErrorCode::InvalidArgument, "address " + go::quote(text) + ": not a host");
  }
  if (parsed->port == 0) {
    return fail(ErrorCode::InvalidArgument, "address " + go::quote(text) + ": invalid port");
  }
  return parsed;
}

Result<Addresses> resolve_all(std::span<const config::HostPort> hosts, Duration deadline) {
  Addresses ips;
  std::string first_name;
  for (const config::HostPort& host : hosts) {
    if (is_ip(host.host)) {
      ips.push_back(host);
    } else if (first_name.empty()) {
      first_name = host.host;
    }
  }
  if (first_name.empty()) return ips;
  auto found = run_until(deadline, "lookup " + first_name,
                         [copy = Addresses(hosts.begin(), hosts.end()), deadline] {
                           return look_up_all(copy, deadline);
                         });
  // A resolver that hangs takes away the names only.
  if (!found && !ips.empty()) return ips;
  return found;
}

}  // namespace dkron::discovery
