// Any bytes as the manifest of a snapshot: refused with the state as it was, or restored from a
// checkpoint that is there.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "state/machine.h"
#include "store/keys.h"
#include "store/memory_store.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace dkron;
  const std::string_view manifest(reinterpret_cast<const char*>(data), size);
  store::MemoryStore store;
  std::string applied;
  store::keys::append_u64(&applied, 7);
  store.batch().put(store::keys::kApplied, applied);
  if (!store.commit() || !store.make_checkpoint("7")) std::abort();
  const auto checkpoint = store.rows();
  store.batch().erase(store::keys::kApplied);
  if (!store.commit()) std::abort();
  const auto before = store.rows();

  auto machine = state::Machine::open(store, [](const state::Changes&) {});
  if (!machine) std::abort();
  const auto restored = (*machine)->restore(manifest);
  if (!restored && restored.error().code != ErrorCode::Corrupt) std::abort();
  if (store.rows() != before && store.rows() != checkpoint) std::abort();
  (*machine)->snapshot_stored(manifest);
  return 0;
}
