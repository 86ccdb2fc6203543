// Keyring: the keys that gossip is encrypted with, and the AES-GCM envelope around a message.
//
// The first key encrypts, all decrypt. Keys are 16, 24 or 32 bytes; at most kMaxKeys. Lives on the
// main loop. Envelope (specification 3.3): version byte (0 or 1), 12-byte nonce, ciphertext,
// 16-byte tag; version 0 pads the message as PKCS#7. Nonces come from the kernel's generator.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace dkron::gossip {

class Keyring {
 public:
  static constexpr std::size_t kMaxKeys = 64;

  // Checks the sizes; no key at all is an error, doubles are dropped.
  static Result<Keyring> make(std::vector<std::string> keys);

  const std::vector<std::string>& keys() const { return keys_; }  // Primary first.
  Result<> install(std::string key);                              // A present key is no error.
  Result<> use(std::string_view key);     // Moves it to the front. NotFound when it is not there.
  Result<> remove(std::string_view key);  // The primary cannot go; an absent key is no error.

  // With version 1, additional data `associated`.
  std::string seal(std::string_view plain, std::string_view associated) const;
  // Tries each key. Corrupt when none fits, or the envelope is malformed.
  Result<std::string> open(std::string_view sealed, std::string_view associated) const;

  static constexpr std::size_t kOverheadBytes = 29;  // What seal() adds.

 private:
  std::vector<std::string> keys_;
};

// The keyring file of Serf: a JSON array of Base64 texts, primary first. TooLarge beyond
// kMaxKeyringFileBytes.
inline constexpr std::size_t kMaxKeyringFileBytes = 64 << 10;
Result<Keyring> parse_keyring(std::string_view json);
std::string format_keyring(const Keyring& ring);

}  // namespace dkron::gossip
