// Checksums over our own bytes on disk and on the wire: XXH3 with 64 bits, from libxxhash.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

namespace dkron {

std::uint64_t checksum64(std::string_view bytes);

// The same over bytes that come in parts.
class Checksum64 {
 public:
  Checksum64();
  ~Checksum64();
  Checksum64(const Checksum64&) = delete;
  Checksum64& operator=(const Checksum64&) = delete;

  void add(std::string_view bytes);
  std::uint64_t value() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace dkron
