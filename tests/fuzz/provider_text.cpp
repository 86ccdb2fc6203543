// Any bytes as a provider's text: an error for people, or keys and values. What Go's quoting makes
// of a value is read back as the same value.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/go_text.h"
#include "discovery/provider_text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace dkron;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto parameters = discovery::parse_provider_text(text);
  if (!parameters) {
    if (parameters.error().message.empty()) std::abort();
    return 0;
  }
  std::string again;
  for (const auto& [key, value] : *parameters) {
    again += go::quote(key) + " = " + go::quote(value) + " ";
  }
  const auto same = discovery::parse_provider_text(again);
  const bool is_long = again.size() > discovery::kProviderTextLimit;
  if (!is_long && (!same || same->size() != parameters->size())) std::abort();
  for (const auto& [key, value] : is_long ? discovery::Parameters() : *parameters) {
    // Bytes that are no UTF-8 come back from Go's quoting as \x escapes, so nothing is lost.
    const auto found = same->find(key);
    if (found == same->end() || found->second != value) std::abort();
  }
  return 0;
}
