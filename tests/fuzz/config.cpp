// Any bytes as a configuration file of each format: an error for people, or values.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "config/file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace dkron;
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const char* extension : {"yaml", "toml", "json", "env"}) {
    const auto values = config::parse_config(extension, text);
    if (values) continue;
    const bool told = values.error().code == ErrorCode::InvalidArgument ||
                      values.error().code == ErrorCode::TooLarge;
    if (!told || values.error().message.empty()) std::abort();
  }
  return 0;
}
