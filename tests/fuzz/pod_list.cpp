// Any bytes as an answer of a Kubernetes API server: an error, or addresses that are some.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "discovery/discovery.h"
#include "discovery/k8s.h"
#include "discovery/names.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace dkron;
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const bool host_network : {false, true}) {
    const auto page = discovery::parse_pods(text, host_network, 8946);
    if (!page) {
      if (page.error().code != ErrorCode::Corrupt) std::abort();
      continue;
    }
    if (page->addresses.size() > discovery::kMaxAddresses) std::abort();
    for (const auto& address : page->addresses) {
      if (address.port == 0 || !discovery::is_ip(address.host)) std::abort();
    }
  }
  return 0;
}
