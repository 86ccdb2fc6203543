#include "config/address.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>

#include <charconv>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <sstream>
#include <vector>

#include "base/go_text.h"

namespace dkron::config {
namespace {

struct InterfaceAddress {
  std::string interface;
  in_addr address{};
};

bool in_net(in_addr address, const char* net, int bits) {
  in_addr base{};
  ::inet_pton(AF_INET, net, &base);
  const std::uint32_t mask = bits == 0 ? 0 : ~std::uint32_t{0} << (32 - bits);
  return ((ntohl(address.s_addr) ^ ntohl(base.s_addr)) & mask) == 0;
}

// The forwardable, not global blocks of RFC 6890.
bool is_private(in_addr a) {
  return in_net(a, "10.0.0.0", 8) || in_net(a, "172.16.0.0", 12) || in_net(a, "192.168.0.0", 16) ||
         in_net(a, "100.64.0.0", 10) || in_net(a, "198.18.0.0", 15);
}
bool is_special(in_addr a) {
  return is_private(a) || in_net(a, "127.0.0.0", 8) || in_net(a, "169.254.0.0", 16) ||
         in_net(a, "0.0.0.0", 8) || in_net(a, "224.0.0.0", 3) || in_net(a, "192.0.2.0", 24) ||
         in_net(a, "198.51.100.0", 24) || in_net(a, "203.0.113.0", 24);
}

std::vector<InterfaceAddress> interface_addresses() {
  std::vector<InterfaceAddress> found;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return found;
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, &::freeifaddrs);
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    const bool usable = entry->ifa_addr != nullptr && entry->ifa_addr->sa_family == AF_INET &&
                        (entry->ifa_flags & IFF_UP) != 0;
    if (!usable) continue;
    sockaddr_in address{};
    std::memcpy(&address, entry->ifa_addr, sizeof address);
    found.push_back({entry->ifa_name, address.sin_addr});
  }
  return found;
}

std::string default_route_interface() {
  std::ifstream routes("/proc/net/route");
  std::string line;
  std::getline(routes, line);
  while (std::getline(routes, line)) {
    std::istringstream columns(line);
    std::string interface, destination;
    columns >> interface >> destination;
    if (destination == "00000000") return interface;
  }
  return "";
}

std::string to_text(in_addr address) {
  char text[INET_ADDRSTRLEN];
  return ::inet_ntop(AF_INET, &address, text, sizeof text) == nullptr ? "" : text;
}

std::vector<std::string> addresses_where(
    const std::function<bool(const InterfaceAddress&)>& wanted) {
  std::vector<std::string> texts;
  for (const auto& entry : interface_addresses()) {
    if (wanted(entry)) texts.push_back(to_text(entry.address));
  }
  return texts;
}

std::vector<std::string> private_ips() {
  return addresses_where([](const InterfaceAddress& a) { return is_private(a.address); });
}

std::string public_ip() {
  const std::string preferred = default_route_interface();
  const auto found = addresses_where([&](const InterfaceAddress& a) {
    return a.interface == preferred && !is_special(a.address);
  });
  return found.empty() ? "" : found.front();
}

std::string join(const std::vector<std::string>& texts) {
  std::string joined;
  for (const auto& text : texts) joined += (joined.empty() ? "" : " ") + text;
  return joined;
}

Result<std::string> evaluate(std::string_view expression) {
  const auto words = go::fields(expression);
  const std::string_view function = words.empty() ? "" : words[0];
  if (words.size() == 1 && function == "GetPrivateIP") return private_ip();
  if (words.size() == 1 && function == "GetPrivateIPs") return join(private_ips());
  if (words.size() == 1 && function == "GetPublicIP") return public_ip();
  if (words.size() == 1 && function == "GetPublicIPs") {
    return join(addresses_where([](const InterfaceAddress& a) { return !is_special(a.address); }));
  }
  const bool by_interface = function == "GetInterfaceIP" || function == "GetInterfaceIPs";
  if (words.size() == 2 && by_interface && words[1].size() > 2 && words[1].front() == '"' &&
      words[1].back() == '"') {
    const std::string name(words[1].substr(1, words[1].size() - 2));
    const auto found =
        addresses_where([&](const InterfaceAddress& a) { return a.interface == name; });
    if (function == "GetInterfaceIPs") return join(found);
    return found.empty() ? "" : found.front();
  }
  return fail(ErrorCode::InvalidArgument, "the address template {{ " +
                                              std::string(go::trim_space(expression)) +
                                              " }} is not available yet");
}

}  // namespace

std::string private_ip() {
  const std::string preferred = default_route_interface();
  const auto found = addresses_where(
      [&](const InterfaceAddress& a) { return a.interface == preferred && is_private(a.address); });
  if (!found.empty()) return found.front();
  const auto any = private_ips();
  return any.empty() ? "" : any.front();
}

Result<std::string> render_address(std::string_view text) {
  std::string rendered;
  for (;;) {
    const auto open = text.find("{{");
    rendered += text.substr(0, open);
    if (open == text.npos) break;
    const auto close = text.find("}}", open);
    if (close == text.npos) {
      return fail(ErrorCode::InvalidArgument,
                  "the address template " + go::quote(text) + " is not closed");
    }
    auto value = evaluate(text.substr(open + 2, close - open - 2));
    if (!value) return value;
    rendered += *value;
    text.remove_prefix(close + 2);
  }
  const auto items = go::fields(rendered);
  if (items.size() > 1) {
    return fail(ErrorCode::InvalidArgument,
                "multiple addresses found (" + go::quote(rendered) + "), please configure one");
  }
  return items.empty() ? std::string() : std::string(items.front());
}

Result<HostPort> split_host_port(std::string_view text, std::uint16_t default_port) {
  const auto bad = [&](const char* why) {
    return fail(ErrorCode::InvalidArgument, "address " + std::string(text) + ": " + why);
  };
  HostPort result{"", default_port};
  std::string_view rest;
  if (!text.empty() && text.front() == '[') {
    const auto close = text.find(']');
    if (close == text.npos) return bad("missing ']' in address");
    result.host = text.substr(1, close - 1);
    rest = text.substr(close + 1);
    if (!rest.empty() && rest.front() != ':') return bad("unexpected text behind ']'");
  } else {
    const auto colon = text.find(':');
    if (colon != text.npos && text.find(':', colon + 1) != text.npos)
      return bad("too many colons in address");
    result.host = text.substr(0, colon);
    rest = colon == text.npos ? std::string_view() : text.substr(colon);
  }
  if (rest.empty()) return result;
  rest.remove_prefix(1);
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), result.port);
  if (error != std::errc() || end != rest.data() + rest.size()) return bad("invalid port");
  return result;
}

std::string join_host_port(std::string_view host, std::uint16_t port) {
  const bool is_v6 = host.find(':') != host.npos;
  return (is_v6 ? "[" + std::string(host) + "]" : std::string(host)) + ":" + std::to_string(port);
}

Result<std::string> resolve_host(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (::getaddrinfo(host.c_str(), nullptr, &hints, &list) != 0 || list == nullptr) {
    return fail(ErrorCode::InvalidArgument, "lookup " + host + ": no such host");
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, &::freeaddrinfo);
  char text[NI_MAXHOST];
  if (::getnameinfo(list->ai_addr, list->ai_addrlen, text, sizeof text, nullptr, 0,
                    NI_NUMERICHOST) != 0) {
    return fail(ErrorCode::InvalidArgument, "lookup " + host + ": no such host");
  }
  return std::string(text);
}

Result<HostPort> advertised_address(const std::string& advertise, const HostPort& bind,
                                    bool allow_loopback) {
  if (!advertise.empty()) {
    auto parsed = split_host_port(advertise, bind.port);
    if (!parsed) return parsed;
    auto ip = resolve_host(parsed->host);
    if (!ip) {
      return fail(ErrorCode::InvalidArgument,
                  "agent: Can not setup serf, invalid advertise address: " + ip.error().message);
    }
    return HostPort{*ip, parsed->port};
  }
  const bool is_any = bind.host.empty() || bind.host == "0.0.0.0" || bind.host == "::";
  if (is_any) {
    const std::string ip = private_ip();
    return HostPort{ip.empty() ? "127.0.0.1" : ip, bind.port};
  }
  const bool is_loopback = bind.host.starts_with("127.") || bind.host == "::1";
  if (is_loopback && !allow_loopback) {
    return fail(ErrorCode::InvalidArgument, "failed to parse advertise address (, " +
                                                join_host_port(bind.host, bind.port) +
                                                ", 8946, false): defaulting advertise to localhost "
                                                "is unsafe, please set advertise manually");
  }
  return bind;
}

}  // namespace dkron::config
