#include "discovery/mdns_socket.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace dkron::discovery {
namespace {

constexpr std::size_t kInterfaceLimit = 64;
constexpr std::size_t kDatagramLimit = 9'000;  // RFC 6762, 17.

// The interfaces that are up, can multicast and have an address of the family.
std::vector<unsigned> multicast_interfaces(int family) {
  std::vector<unsigned> found;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return found;
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, &::freeifaddrs);
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    const bool is_up = (entry->ifa_flags & IFF_UP) != 0 && (entry->ifa_flags & IFF_MULTICAST) != 0;
    if (!is_up || entry->ifa_addr == nullptr || entry->ifa_addr->sa_family != family) continue;
    const unsigned index = ::if_nametoindex(entry->ifa_name);
    const bool is_known = std::find(found.begin(), found.end(), index) != found.end();
    if (index != 0 && !is_known && found.size() < kInterfaceLimit) found.push_back(index);
  }
  return found;
}

}  // namespace

Result<MdnsSocket> MdnsSocket::open(const config::HostPort& peer) {
  MdnsSocket socket;
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  bool is_group = false;
  if (::inet_pton(AF_INET, peer.host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(peer.port);
    is_group = IN_MULTICAST(ntohl(v4.sin_addr.s_addr));
    std::memcpy(&socket.peer_, &v4, sizeof v4);
    socket.peer_size_ = sizeof v4;
  } else if (::inet_pton(AF_INET6, peer.host.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(peer.port);
    is_group = IN6_IS_ADDR_MULTICAST(&v6.sin6_addr);
    std::memcpy(&socket.peer_, &v6, sizeof v6);
    socket.peer_size_ = sizeof v6;
  } else {
    return fail(ErrorCode::InvalidArgument, peer.host + " is no IP");
  }
  const int family = socket.peer_.ss_family;
  socket.fd_ = UniqueFd(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.fd_.is_open()) return fail_errno("socket", errno);
  if (is_group) {
    socket.interfaces_ = multicast_interfaces(family);
    if (socket.interfaces_.empty()) {
      return fail(ErrorCode::Unavailable, "no interface for multicast to " + peer.host);
    }
  }
  return socket;
}

bool MdnsSocket::send(std::string_view message) const {
  if (interfaces_.empty()) return send_once(message);
  bool was_sent = false;
  for (const unsigned index : interfaces_) {
    if (select_interface(index) && send_once(message)) was_sent = true;
  }
  return was_sent;
}

bool MdnsSocket::send_once(std::string_view message) const {
  return ::sendto(fd_.get(), message.data(), message.size(), MSG_NOSIGNAL,
                  reinterpret_cast<const sockaddr*>(&peer_),
                  peer_size_) == static_cast<ssize_t>(message.size());
}

bool MdnsSocket::select_interface(unsigned index) const {
  if (peer_.ss_family == AF_INET6) {
    return ::setsockopt(fd_.get(), IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof index) == 0;
  }
  ip_mreqn request{};
  request.imr_ifindex = static_cast<int>(index);
  return ::setsockopt(fd_.get(), IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof request) == 0;
}

std::optional<std::string> MdnsSocket::receive() const {
  std::string datagram(kDatagramLimit, '\0');
  for (;;) {
    const ssize_t size = ::recv(fd_.get(), datagram.data(), datagram.size(), 0);
    if (size < 0 && (errno == EINTR || errno == ECONNREFUSED)) continue;
    if (size < 0) return std::nullopt;
    datagram.resize(static_cast<std::size_t>(size));
    return datagram;
  }
}

}  // namespace dkron::discovery
