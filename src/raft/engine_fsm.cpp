// What libraft asks of its state machine.
#include "base/assert.h"
#include "base/log.h"
#include "raft/address.h"
#include "raft/engine_requests.h"
#include "raft/entry.h"
#include "raft/snapshot_payload.h"

namespace dkron::raft {
namespace {

Engine& engine_of(struct raft_fsm* fsm) {
  return *static_cast<Engine*>(fsm->data);
}

std::string_view bytes_of(const struct raft_buffer& buffer) {
  return {static_cast<const char*>(buffer.base), buffer.len};
}

}  // namespace

void Engine::fill_fsm() {
  fsm_.version = 2;
  fsm_.data = this;
  fsm_.apply = [](struct raft_fsm* fsm, const struct raft_buffer* buffer, void** result) noexcept {
    *result = nullptr;
    return engine_of(fsm).apply(*buffer);
  };
  fsm_.snapshot = [](struct raft_fsm* fsm, struct raft_buffer** buffers, unsigned* n) noexcept {
    Engine& engine = engine_of(fsm);
    return engine.fatal_ ? RAFT_SHUTDOWN : engine.snapshots_.take(buffers, n);
  };
  fsm_.snapshot_finalize = [](struct raft_fsm* fsm, struct raft_buffer** buffers,
                              unsigned* n) noexcept {
    engine_of(fsm).snapshots_.finalize(buffers, n);
    return 0;
  };
  fsm_.restore = [](struct raft_fsm* fsm, struct raft_buffer* buffer) noexcept {
    return engine_of(fsm).restore(*buffer);
  };
}

int Engine::apply(const struct raft_buffer& buffer) {
  if (fatal_) return RAFT_SHUTDOWN;  // libraft tries the same entry again and again.
  const std::uint64_t index = raft_last_applied(&raft_) + 1;
  snapshots_.on_entry(index, buffer.len);
  if (index <= machine_.applied_index()) return 0;
  auto commands = decode_entry(bytes_of(buffer));
  if (!commands) return set_fatal(commands.error());
  auto outcomes = machine_.apply(index, *commands);
  if (!outcomes) return set_fatal(outcomes.error());
  DK_ASSERT(outcomes->size() == commands->size());
  machine_.publish();
  for (const auto& request : in_flight_) {
    if (request->request.index == index) request->outcomes = std::move(*outcomes);
  }
  return 0;
}

int Engine::restore(struct raft_buffer& buffer) {
  // At start this is the newest snapshot, whose index Snapshots knows; later an installed one.
  const std::uint64_t index = is_started_ ? raft_commit_index(&raft_) : snapshots_.last_index();
  auto restored = snapshots_.restore(bytes_of(buffer), index);
  if (!restored) return set_fatal(restored.error());  // The buffer stays the library's.
  raft_free(buffer.base);
  return 0;
}

bool Engine::may_install(const struct raft_message& message) {
  const struct raft_install_snapshot& install = message.install_snapshot;
  // Nothing of these is installed: libraft knows better, or has all entries already.
  if (install.term < raft_current_term(&raft_)) return true;
  if (install.last_index <= raft_last_applied(&raft_)) return true;
  auto manifest = unwrap_manifest(bytes_of(install.data));
  const NamedAddress named = split_server_address(message.server_address);
  const Server leader{message.server_id, named.node_name, named.host_port, true};
  Result<bool> may = manifest ? fetcher_.may_install(leader, *manifest) : fail(manifest.error());
  if (!may && seldom_.may_log(may.error().message)) {
    log::error("raft snapshot of the leader cannot be taken",
               {{"leader", leader.node_name}, {"error", may.error()}});
  }
  return may && *may;
}

int Engine::set_fatal(Error error) {
  log::error("raft node stops", {{"error", error}});
  fatal_ = std::move(error);
  return RAFT_SHUTDOWN;  // on_turn() does the rest.
}

}  // namespace dkron::raft
