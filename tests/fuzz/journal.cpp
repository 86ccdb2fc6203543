// Frames of the run journal from hostile bytes: parse_frames() must end, and what it accepts must
// come back the same when it is written again.
#include "node/journal.h"
#include "base/assert.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace dkron::node;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  std::size_t valid_bytes = 0;
  const auto records = parse_frames(bytes, &valid_bytes);
  DK_ASSERT(valid_bytes <= size);
  if (!records) return 0;
  std::string written;
  for (const auto& record : *records) append_frame(&written, record);
  std::size_t valid_again = 0;
  const auto again = parse_frames(written, &valid_again);
  DK_ASSERT(again && again->size() == records->size() && valid_again == written.size());
  return 0;
}
