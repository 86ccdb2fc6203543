// For tests: the recorded bytes of tests/golden/gossip, and bytes as hex digits.
#pragma once

#include <boost/json.hpp>
#include <string>
#include <string_view>

#include "base/file.h"

namespace dkron::testing_support {

// Only lower-case digits in pairs, as the files have them.
inline std::string from_hex(std::string_view digits) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes.push_back(static_cast<char>(kDigits.find(digits[i]) << 4 | kDigits.find(digits[i + 1])));
  }
  return bytes;
}

inline std::string to_hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string digits;
  for (const char c : bytes) {
    digits.push_back(kDigits[static_cast<unsigned char>(c) >> 4]);
    digits.push_back(kDigits[static_cast<unsigned char>(c) & 15]);
  }
  return digits;
}

inline std::string text_of(const boost::json::value& value) {
  return std::string(value.as_string());
}

inline std::string read_golden(const std::string& name) {
  return read_file(Path(DKRON_SOURCE_DIR) / "tests/golden/gossip" / name, 1 << 20).value();
}

inline boost::json::array load_golden(const std::string& name) {
  return boost::json::parse(read_golden(name)).as_array();
}

}  // namespace dkron::testing_support
