#include "raft/hello.h"

#include "base/assert.h"
#include "raft/address.h"
#include "raft/bytes.h"

namespace dkron::raft {
namespace {

constexpr std::string_view kMessagesMagic{"DKRAFT1\0", 8};
constexpr std::string_view kSnapshotMagic{"DKSNAP1\0", 8};
constexpr std::size_t kManifestIdBytes = 8;

}  // namespace

std::string encode_hello(const Hello& hello) {
  DK_ASSERT(!hello.sender_address.empty() && hello.sender_address.size() <= kAddressLimitBytes);
  std::string bytes(kHelloHeadBytes, '\0');
  const std::string_view magic = hello.manifest_id ? kSnapshotMagic : kMessagesMagic;
  bytes.replace(0, magic.size(), magic);
  store(bytes.data() + 8, hello.cluster_id);
  store(bytes.data() + 16, hello.recovery_epoch);
  store(bytes.data() + 24, hello.sender_id);
  store(bytes.data() + 32, static_cast<std::uint8_t>(hello.sender_address.size()));
  bytes += hello.sender_address;
  if (hello.manifest_id) {
    bytes.resize(bytes.size() + kManifestIdBytes);
    store(bytes.data() + bytes.size() - kManifestIdBytes, *hello.manifest_id);
  }
  return bytes;
}

Result<std::size_t> hello_size(std::string_view head) {
  const bool is_snapshot = head.starts_with(kSnapshotMagic);
  if (head.size() < kHelloHeadBytes || (!is_snapshot && !head.starts_with(kMessagesMagic))) {
    return fail(ErrorCode::Corrupt, "this is no raft connection");
  }
  const std::size_t address_size = load<std::uint8_t>(head.data() + 32);
  if (address_size == 0) return fail(ErrorCode::Corrupt, "the sender has no address");
  return kHelloHeadBytes + address_size + (is_snapshot ? kManifestIdBytes : 0);
}

Result<Hello> decode_hello(std::string_view bytes) {
  auto size = hello_size(bytes);
  if (!size) return fail(size.error());
  if (bytes.size() != *size) return fail(ErrorCode::Corrupt, "the hello has a wrong length");
  Hello hello;
  hello.cluster_id = load<std::uint64_t>(bytes.data() + 8);
  hello.recovery_epoch = load<std::uint64_t>(bytes.data() + 16);
  hello.sender_id = load<std::uint64_t>(bytes.data() + 24);
  hello.sender_address = bytes.substr(kHelloHeadBytes, load<std::uint8_t>(bytes.data() + 32));
  if (bytes.starts_with(kSnapshotMagic)) {
    hello.manifest_id = load<std::uint64_t>(bytes.data() + bytes.size() - kManifestIdBytes);
  }
  if (hello.sender_address.find('\0') != std::string::npos) {
    return fail(ErrorCode::Corrupt, "the sender's address holds a zero byte");
  }
  return hello;
}

Result<void> check_hello(const Hello& hello, const Identity& ours) {
  if (hello.cluster_id != ours.cluster_id) {
    return fail(ErrorCode::Conflict,
                "this server belongs to cluster " + std::to_string(ours.cluster_id) +
                    ", the sender to cluster " + std::to_string(hello.cluster_id));
  }
  if (hello.recovery_epoch != ours.recovery_epoch) {
    return fail(ErrorCode::Conflict,
                "this server is in recovery epoch " + std::to_string(ours.recovery_epoch) +
                    ", the sender in " + std::to_string(hello.recovery_epoch) +
                    ": the one that belongs to the state before the recovery must have its raft "
                    "directory wiped");
  }
  const std::string name = split_server_address(hello.sender_address).node_name;
  if (hello.sender_id != server_id(name)) {
    return fail(ErrorCode::Conflict, "the sender's id " + std::to_string(hello.sender_id) +
                                         " is not the one of its name \"" + name + "\"");
  }
  if (name == ours.node_name) {
    return fail(ErrorCode::Conflict, "the sender bears this server's own name \"" + name + "\"");
  }
  return {};
}

std::string encode_answer(const Result<void>& answer) {
  if (answer) return std::string(1, '\0');
  const std::string text = answer.error().message.empty()
                               ? "refused"
                               : answer.error().message.substr(0, kRefusalLimitBytes);
  return static_cast<char>(text.size()) + text;
}

}  // namespace dkron::raft
