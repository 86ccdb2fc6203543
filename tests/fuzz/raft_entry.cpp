// Any bytes as a raft entry: decoding gives an error or commands that encode to the same bytes.
// Since a fuzzer does not find checksums, the input is also tried with the right one.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/checksum.h"
#include "raft/entry.h"

namespace {

void try_entry(const std::string& bytes) {
  using namespace dkron;
  const auto views = raft::decode_entry(bytes);
  if (!views) {
    if (views.error().code != ErrorCode::Corrupt) std::abort();
    return;
  }
  std::vector<raft::Command> commands;
  for (const raft::CommandView& view : *views) {
    commands.push_back({view.kind, view.version, view.request_id, std::string(view.payload)});
  }
  std::vector<const raft::Command*> pointers;
  std::size_t size = 0;
  for (const raft::Command& command : commands) {
    pointers.push_back(&command);
    size += raft::encoded_size(command);
  }
  std::string again(raft::entry_size(size), '\0');
  raft::encode_entry(pointers, again.data());
  if (again != bytes) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  try_entry(bytes);
  if (size < dkron::raft::kEntryHeaderBytes) return 0;
  std::uint32_t length = 0;
  std::memcpy(&length, bytes.data() + 20, sizeof length);
  if (length > size - dkron::raft::kEntryHeaderBytes) return 0;
  const std::string_view checked = std::string_view(bytes).substr(16, 8 + std::size_t{length});
  const std::uint64_t checksum = dkron::checksum64(checked);
  std::memcpy(bytes.data() + 8, &checksum, sizeof checksum);
  try_entry(bytes);
  return 0;
}
