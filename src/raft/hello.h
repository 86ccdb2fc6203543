// The first bytes of every connection between servers, sent by the side that connects, and the
// answer of the other side. Integers are little-endian.
//
//    0  8    magic             the first byte tells raft from HTTP/2 ('P') and TLS (0x16)
//            "DKRAFT1\0"       for libraft's messages
//            "DKSNAP1\0"       for the files of a snapshot (snapshot_wire.h)
//    8  u64  cluster id
//   16  u64  recovery epoch
//   24  u64  sender id         server_id() of the name in the address
//   32  u8   address length    1 .. 255
//   33       sender address    node_name@host:port
//       u64  manifest id       "DKSNAP1" only
//
// The answer is one byte: 0 when the sender may go on, otherwise the length of a text that says why
// not; the text follows and the connection ends. Bytes that are no hello get no answer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "raft/node.h"

namespace dkron::raft {

constexpr std::size_t kHelloHeadBytes = 33;
constexpr std::size_t kAddressLimitBytes = 255;
constexpr std::size_t kHelloLimitBytes = kHelloHeadBytes + kAddressLimitBytes + 8;
constexpr std::size_t kRefusalLimitBytes = 255;

struct Hello {
  std::uint64_t cluster_id = 0;
  std::uint64_t recovery_epoch = 0;
  std::uint64_t sender_id = 0;
  std::string sender_address;
  std::optional<std::uint64_t> manifest_id;  // Asks for the snapshot with this manifest.
};

std::string encode_hello(const Hello& hello);

// Bytes of the whole hello, from its first kHelloHeadBytes bytes.
Result<std::size_t> hello_size(std::string_view head);
Result<Hello> decode_hello(std::string_view bytes);

// Whether the sender may talk to us; the error's text holds both values of what differs.
Result<void> check_hello(const Hello& hello, const Identity& ours);

std::string encode_answer(const Result<void>& answer);

}  // namespace dkron::raft
