#include "raft/snapshot_payload.h"

#include <cstdint>

#include "base/checksum.h"
#include "raft/bytes.h"

namespace dkron::raft {
namespace {

constexpr std::uint32_t kMagic = 0x31534b44;  // "DKS1"
constexpr std::size_t kHeaderBytes = 16;

std::size_t payload_size(std::size_t manifest_size) {
  return (kHeaderBytes + manifest_size + 7) / 8 * 8;
}

}  // namespace

std::string wrap_manifest(std::string_view manifest) {
  std::string payload(payload_size(manifest.size()), '\0');
  store(payload.data(), kMagic);
  store(payload.data() + 4, static_cast<std::uint32_t>(manifest.size()));
  store(payload.data() + 8, checksum64(manifest));
  payload.replace(kHeaderBytes, manifest.size(), manifest);
  return payload;
}

Result<std::string_view> unwrap_manifest(std::string_view payload) {
  if (payload.size() < kHeaderBytes || load<std::uint32_t>(payload.data()) != kMagic) {
    return fail(ErrorCode::Corrupt, "raft snapshot: this is no snapshot of dkron");
  }
  const std::size_t length = load<std::uint32_t>(payload.data() + 4);
  if (length > kManifestLimitBytes || payload.size() != payload_size(length)) {
    return fail(ErrorCode::Corrupt, "raft snapshot: wrong length");
  }
  const std::string_view manifest = payload.substr(kHeaderBytes, length);
  if (load<std::uint64_t>(payload.data() + 8) != checksum64(manifest)) {
    return fail(ErrorCode::Corrupt, "raft snapshot: wrong checksum");
  }
  return manifest;
}

}  // namespace dkron::raft
