// The first bytes of every raft connection, sent by the side that connects. The other side answers
// nothing: it takes the stream, or closes it. Integers are little-endian.
//
//    0  8    "DKRAFT1\0"       the first byte tells raft from HTTP/2 ('P') and TLS (0x16)
//    8  u64  cluster id
//   16  u64  recovery epoch
//   24  u64  sender id         server_id() of the name in the address
//   32  u8   address length    1 .. 255
//   33       sender address    node_name@host:port
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "raft/node.h"

namespace dkron::raft {

constexpr std::size_t kHelloHeadBytes = 33;
constexpr std::size_t kAddressLimitBytes = 255;

struct Hello {
  std::uint64_t cluster_id = 0;
  std::uint64_t recovery_epoch = 0;
  std::uint64_t sender_id = 0;
  std::string sender_address;
};

std::string encode_hello(const Hello& hello);

// Bytes of the whole hello, from its first kHelloHeadBytes bytes.
Result<std::size_t> hello_size(std::string_view head);
Result<Hello> decode_hello(std::string_view bytes);

// Whether the sender may talk to us; the error's text holds both values of what differs.
Result<void> check_hello(const Hello& hello, const Identity& ours);

}  // namespace dkron::raft
