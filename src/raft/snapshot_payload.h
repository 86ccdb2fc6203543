// What libraft stores as a snapshot: the state machine's manifest under a checksum, since libraft's
// snapshot files have none.
//
//    0  u32  magic             "DKS1"
//    4  u32  length            bytes of the manifest, <= 1 MiB
//    8  u64  checksum          XXH3-64 of the manifest
//   16       manifest, then zeros up to a multiple of 8
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace dkron::raft {

constexpr std::size_t kManifestLimitBytes = 1024 * 1024;

std::string wrap_manifest(std::string_view manifest);
// A view into `payload`; Corrupt when a byte differs.
Result<std::string_view> unwrap_manifest(std::string_view payload);

}  // namespace dkron::raft
