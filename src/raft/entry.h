// The bytes of one raft entry: a group of commands under one checksum.
//
// All integers are little-endian. The format number comes first and outside of the checksum, so
// that a later format may choose another one.
//
//    0  u16  format            1
//    2  u16  flags             0; a set bit is a feature that this version does not know
//    4  u32  zero
//    8  u64  checksum          XXH3-64 over bytes 16 .. 24 + length
//   16  u32  command count     >= 1
//   20  u32  length            bytes of all commands
//   24       commands, each    u16 kind, u16 version, u32 payload length, u64 request id, payload
//            padding           zeros up to a multiple of 8, which libraft demands
//
// decode_entry() believes nothing: it is fed with bytes from disk and from peers.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "raft/node.h"

namespace dkron::raft {

constexpr std::size_t kEntryHeaderBytes = 24;
constexpr std::size_t kCommandHeaderBytes = 16;

// Bytes that the command takes inside an entry.
std::size_t encoded_size(const Command& command);
// Bytes of an entry whose commands take `commands_bytes` together.
std::size_t entry_size(std::size_t commands_bytes);

// Writes entry_size(sum of the commands) bytes to `out`.
void encode_entry(std::span<const Command* const> commands, char* out);

// The views point into `bytes`. Corrupt for everything that encode_entry() does not write.
Result<std::vector<CommandView>> decode_entry(std::string_view bytes);

}  // namespace dkron::raft
