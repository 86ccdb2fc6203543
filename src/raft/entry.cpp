#include "raft/entry.h"

#include <cstring>

#include "base/checksum.h"
#include "raft/bytes.h"

namespace dkron::raft {
namespace {

constexpr std::uint16_t kFormat = 1;
constexpr std::size_t kChecksumOffset = 8;
constexpr std::size_t kCheckedOffset = 16;

std::size_t padded(std::size_t size) {
  return (size + 7) / 8 * 8;
}

tl::unexpected<Error> damaged(std::string_view what) {
  return fail(ErrorCode::Corrupt, "raft entry: " + std::string(what));
}

}  // namespace

std::size_t encoded_size(const Command& command) {
  return kCommandHeaderBytes + command.payload.size();
}

std::size_t entry_size(std::size_t commands_bytes) {
  return padded(kEntryHeaderBytes + commands_bytes);
}

void encode_entry(std::span<const Command* const> commands, char* out) {
  char* at = out + kEntryHeaderBytes;
  for (const Command* command : commands) {
    store(at, command->kind);
    store(at + 2, command->version);
    store(at + 4, static_cast<std::uint32_t>(command->payload.size()));
    store(at + 8, command->request_id);
    at += kCommandHeaderBytes;
    std::memcpy(at, command->payload.data(), command->payload.size());
    at += command->payload.size();
  }
  const auto end = static_cast<std::size_t>(at - out);
  store(out, kFormat);
  store(out + 2, std::uint16_t{0});
  store(out + 4, std::uint32_t{0});
  store(out + 16, static_cast<std::uint32_t>(commands.size()));
  store(out + 20, static_cast<std::uint32_t>(end - kEntryHeaderBytes));
  store(out + kChecksumOffset, checksum64({out + kCheckedOffset, end - kCheckedOffset}));
  std::memset(at, 0, padded(end) - end);
}

Result<std::vector<CommandView>> decode_entry(std::string_view bytes) {
  if (bytes.size() < kEntryHeaderBytes) return damaged("too short");
  if (load<std::uint16_t>(bytes.data()) != kFormat || load<std::uint16_t>(bytes.data() + 2) != 0) {
    return damaged("unknown format; a newer version may have written it: upgrade this node");
  }
  if (load<std::uint32_t>(bytes.data() + 4) != 0) return damaged("reserved bytes are set");
  const std::size_t length = load<std::uint32_t>(bytes.data() + 20);
  if (bytes.size() != padded(kEntryHeaderBytes + length)) return damaged("wrong length");
  const std::size_t end = kEntryHeaderBytes + length;
  if (bytes.find_first_not_of('\0', end) != std::string_view::npos)
    return damaged("padding is set");
  const auto checksum = load<std::uint64_t>(bytes.data() + kChecksumOffset);
  if (checksum != checksum64(bytes.substr(kCheckedOffset, end - kCheckedOffset))) {
    return damaged("wrong checksum");
  }
  const std::size_t count = load<std::uint32_t>(bytes.data() + 16);
  std::string_view rest = bytes.substr(kEntryHeaderBytes, length);
  if (count == 0 || count > rest.size() / kCommandHeaderBytes) return damaged("wrong count");

  std::vector<CommandView> commands(count);
  for (CommandView& command : commands) {
    if (rest.size() < kCommandHeaderBytes) return damaged("a command is cut");
    command.kind = load<std::uint16_t>(rest.data());
    command.version = load<std::uint16_t>(rest.data() + 2);
    const std::size_t size = load<std::uint32_t>(rest.data() + 4);
    command.request_id = load<std::uint64_t>(rest.data() + 8);
    rest.remove_prefix(kCommandHeaderBytes);
    if (rest.size() < size) return damaged("a payload is cut");
    command.payload = rest.substr(0, size);
    rest.remove_prefix(size);
  }
  if (!rest.empty()) return damaged("bytes after the last command");
  return commands;
}

}  // namespace dkron::raft
