// Any bytes as Serf's keyring file and as its snapshot file.
#include <cstdint>

#include "agreement.h"
#include "gossip/keyring.h"
#include "gossip/snapshot_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace dkron::gossip;
  using dkron::fuzz::check_agreement;
  const std::string_view bytes = dkron::fuzz::input_of(data, size);
  check_agreement(bytes, parse_keyring, format_keyring);
  for (const AfterLeave after_leave : {AfterLeave::Forget, AfterLeave::Rejoin}) {
    check_agreement(
        bytes, [&](std::string_view text) { return parse_snapshot(text, after_leave); },
        compact_snapshot);
  }
  return 0;
}
