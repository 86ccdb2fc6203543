// Ip and Endpoint: addresses as they stand on the gossip wire.
//
// The bytes are kept as they came (4 or 16; none when absent), because peers compare raw bytes; a
// mapped IPv4 address (::ffff:a.b.c.d) equals its 4-byte form here and is printed as IPv4.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace dkron::gossip {

class Ip {
 public:
  Ip() = default;                                              // Absent.
  static std::optional<Ip> from_wire(std::string_view bytes);  // 0, 4 or 16 bytes.
  static std::optional<Ip> parse(std::string_view text);       // "10.0.0.1", "::1".

  bool is_absent() const { return size_ == 0; }
  bool is_v4() const;  // Mapped ones too.
  bool is_loopback() const;
  bool is_unspecified() const;
  std::string_view wire() const { return {bytes_.data(), size_}; }
  std::string to_string() const;  // "" when absent.

  friend bool operator==(const Ip& a, const Ip& b);
  friend std::strong_ordering operator<=>(const Ip& a, const Ip& b);

 private:
  std::string_view significant() const;  // Mapped IPv4 without its prefix.

  std::array<char, 16> bytes_{};
  std::uint8_t size_ = 0;
};

struct Endpoint {
  Ip ip;
  std::uint16_t port = 0;
  std::string to_string() const;  // "10.0.0.1:8946", "[::1]:8946".
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

}  // namespace dkron::gossip
