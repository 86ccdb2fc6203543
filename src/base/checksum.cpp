#include "base/checksum.h"

#include <xxhash.h>

namespace dkron {

std::uint64_t checksum64(std::string_view bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

struct Checksum64::State {
  XXH3_state_t* xxh = XXH3_createState();
  ~State() { XXH3_freeState(xxh); }
};

Checksum64::Checksum64() : state_(std::make_unique<State>()) {
  XXH3_64bits_reset(state_->xxh);
}

Checksum64::~Checksum64() = default;

void Checksum64::add(std::string_view bytes) {
  XXH3_64bits_update(state_->xxh, bytes.data(), bytes.size());
}

std::uint64_t Checksum64::value() const {
  return XXH3_64bits_digest(state_->xxh);
}

}  // namespace dkron
