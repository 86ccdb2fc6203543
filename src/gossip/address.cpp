#include "gossip/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

namespace dkron::gossip {
namespace {

constexpr std::string_view kMappedPrefix("\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);

}  // namespace

std::optional<Ip> Ip::from_wire(std::string_view bytes) {
  if (!bytes.empty() && bytes.size() != 4 && bytes.size() != 16) return std::nullopt;
  Ip ip;
  std::copy(bytes.begin(), bytes.end(), ip.bytes_.begin());
  ip.size_ = static_cast<std::uint8_t>(bytes.size());
  return ip;
}

std::optional<Ip> Ip::parse(std::string_view text) {
  const std::string whole(text);
  if (whole.size() != std::strlen(whole.c_str())) return std::nullopt;
  Ip ip;
  if (::inet_pton(AF_INET, whole.c_str(), ip.bytes_.data()) == 1) {
    ip.size_ = 4;
  } else if (::inet_pton(AF_INET6, whole.c_str(), ip.bytes_.data()) == 1) {
    ip.size_ = 16;
  } else {
    return std::nullopt;
  }
  return ip;
}

std::string_view Ip::significant() const {
  return wire().starts_with(kMappedPrefix) ? wire().substr(kMappedPrefix.size()) : wire();
}

bool Ip::is_v4() const {
  return significant().size() == 4;
}

bool Ip::is_loopback() const {
  const std::string_view bytes = significant();
  if (bytes.size() == 4) return bytes[0] == 127;
  return bytes.size() == 16 && bytes.back() == 1 &&
         std::all_of(bytes.begin(), bytes.end() - 1, [](char c) { return c == 0; });
}

bool Ip::is_unspecified() const {
  const std::string_view bytes = significant();
  return !bytes.empty() && std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == 0; });
}

std::string Ip::to_string() const {
  const std::string_view bytes = significant();
  if (bytes.empty()) return "";
  char text[INET6_ADDRSTRLEN];
  return ::inet_ntop(is_v4() ? AF_INET : AF_INET6, bytes.data(), text, sizeof text);
}

bool operator==(const Ip& a, const Ip& b) {
  return a.significant() == b.significant();
}

std::strong_ordering operator<=>(const Ip& a, const Ip& b) {
  return a.significant() <=> b.significant();
}

std::string Endpoint::to_string() const {
  const std::string host =
      ip.is_absent() || ip.is_v4() ? ip.to_string() : "[" + ip.to_string() + "]";
  return host + ":" + std::to_string(port);
}

}  // namespace dkron::gossip
