#include "raft/guards.h"

#include <memory>

#include "base/log.h"

namespace dkron::raft {
namespace {

// What io.load returned, when it must not reach the library.
void free_loaded(struct raft_snapshot* snapshot, struct raft_entry* entries, std::size_t n) {
  if (snapshot != nullptr) {
    for (unsigned i = 0; i < snapshot->n_bufs; ++i) raft_free(snapshot->bufs[i].base);
    raft_free(snapshot->bufs);
    raft_configuration_close(&snapshot->configuration);
    raft_free(snapshot);
  }
  // Entries that were read together share one batch and stand side by side.
  const void* freed = nullptr;
  for (std::size_t i = 0; i < n; ++i) {
    if (entries[i].batch == freed) continue;
    freed = entries[i].batch;
    raft_free(entries[i].batch);
  }
  raft_free(entries);
}

bool is_only_voter(const struct raft_configuration& configuration, raft_id self) {
  bool has_self = false;
  for (unsigned i = 0; i < configuration.n; ++i) {
    if (configuration.servers[i].role != RAFT_VOTER) continue;
    if (configuration.servers[i].id != self) return false;
    has_self = true;
  }
  return has_self;
}

}  // namespace

Guards::Guards(std::uint64_t acknowledged_index, Hooks hooks)
    : acknowledged_index_(acknowledged_index), hooks_(std::move(hooks)) {}

Guards& Guards::of(struct raft_io* io) {
  return *static_cast<Guards*>(static_cast<struct raft*>(io->data)->data);
}

void Guards::install(struct raft& raft, struct raft_io& io) {
  raft.data = this;
  self_ = raft.id;
  original_ = io;
  io.load = [](struct raft_io* o, raft_term* term, raft_id* voted_for,
               struct raft_snapshot** snapshot, raft_index* start_index,
               struct raft_entry** entries, std::size_t* n_entries) noexcept {
    return of(o).load(o, term, voted_for, snapshot, start_index, entries, n_entries);
  };
  io.start = [](struct raft_io* o, unsigned msecs, raft_io_tick_cb tick,
                raft_io_recv_cb receive) noexcept {
    of(o).receive_ = receive;
    const auto filter = [](struct raft_io* i, struct raft_message* message) noexcept {
      if (of(i).may_receive(message)) of(i).receive_(i, message);
    };
    return of(o).original_.start(o, msecs, tick, filter);
  };
  io.send = [](struct raft_io* o, struct raft_io_send* request, const struct raft_message* message,
               raft_io_send_cb cb) noexcept { return of(o).send(o, request, message, cb); };
  io.snapshot_put = [](struct raft_io* o, unsigned trailing, struct raft_io_snapshot_put* request,
                       const struct raft_snapshot* snapshot, raft_io_snapshot_put_cb cb) noexcept {
    return of(o).snapshot_put(o, trailing, request, snapshot, cb);
  };
}

int Guards::load(struct raft_io* io, raft_term* term, raft_id* voted_for,
                 struct raft_snapshot** snapshot, raft_index* start_index,
                 struct raft_entry** entries, std::size_t* n_entries) {
  const int status = original_.load(io, term, voted_for, snapshot, start_index, entries, n_entries);
  if (status != 0) return status;

  const std::uint64_t snapshot_index = *snapshot != nullptr ? (*snapshot)->index : 0;
  const std::uint64_t last_index = *n_entries > 0 ? *start_index + *n_entries - 1 : snapshot_index;
  if (last_index < acknowledged_index_) {
    tripped_ =
        Error{ErrorCode::Corrupt,
              "the raft log ends at index " + std::to_string(last_index) +
                  ", but this server had acknowledged entries up to index " +
                  std::to_string(acknowledged_index_) + ": entries " +
                  std::to_string(last_index + 1) + " to " + std::to_string(acknowledged_index_) +
                  " are lost. With other servers alive: wipe this server's data directory, "
                  "remove it from the cluster and let it join again. Otherwise recover; the "
                  "segments as they were found are in the newest unclean-* directory"};
    free_loaded(*snapshot, *entries, *n_entries);
    *snapshot = nullptr;
    *entries = nullptr;
    *n_entries = 0;
    return RAFT_CORRUPT;
  }

  if (is_sole_voter(*snapshot, *entries, *n_entries)) {
    const int stored = io->set_term(io, *term + 1);
    if (stored != 0) {
      free_loaded(*snapshot, *entries, *n_entries);
      *snapshot = nullptr;
      return stored;
    }
    *term += 1;
    *voted_for = 0;
  }
  hooks_.on_loaded({snapshot_index, *start_index, *entries, *n_entries});
  return 0;
}

bool Guards::is_sole_voter(const struct raft_snapshot* snapshot, const struct raft_entry* entries,
                           std::size_t n_entries) const {
  for (std::size_t i = n_entries; i > 0; --i) {
    if (entries[i - 1].type != RAFT_CHANGE) continue;
    struct raft_configuration configuration;
    raft_configuration_init(&configuration);
    if (raft_configuration_decode(&entries[i - 1].buf, &configuration) != 0) {
      return false;  // raft_start will find it, too.
    }
    const bool is_sole = is_only_voter(configuration, self_);
    raft_configuration_close(&configuration);
    return is_sole;
  }
  return snapshot != nullptr && is_only_voter(snapshot->configuration, self_);
}

bool Guards::may_receive(struct raft_message* message) {
  hooks_.on_message(message->server_id);
  if (message->type != RAFT_INSTALL_SNAPSHOT) return true;
  if (!is_snapshotting_ && hooks_.may_install(*message)) return true;
  raft_configuration_close(&message->install_snapshot.conf);
  raft_free(message->install_snapshot.data.base);
  ++dropped_installs_;
  log::debug("raft snapshot of the leader dropped for now",
             {{"leader", message->server_address}, {"own_is_written", is_snapshotting_}});
  return false;
}

// Stands between the library's request and the send of the snapshot.
struct Guards::Send {
  struct raft_io_send request = {};
  Guards* guards = nullptr;
  raft_id peer = 0;
  struct raft_io_send* original = nullptr;
  raft_io_send_cb callback = nullptr;
};

int Guards::send(struct raft_io* io, struct raft_io_send* request,
                 const struct raft_message* message, raft_io_send_cb cb) {
  if (message->type != RAFT_INSTALL_SNAPSHOT) {
    return original_.send(io, request, message, cb);
  }
  Peer& peer = peers_[message->server_id];
  const std::uint64_t now_ms = io->time(io);
  if (peer.is_sending ||
      (peer.sent_at_ms != 0 && now_ms - peer.sent_at_ms < kInstallSnapshotIntervalMs)) {
    ++braked_installs_;
    return RAFT_NOCONNECTION;
  }
  auto own = std::make_unique<Send>();
  own->guards = this;
  own->peer = message->server_id;
  own->original = request;
  own->callback = cb;
  own->request.data = own.get();
  const auto on_sent = [](struct raft_io_send* sent, int status) noexcept {
    const std::unique_ptr<Send> done(static_cast<Send*>(sent->data));
    done->guards->peers_[done->peer].is_sending = false;
    done->callback(done->original, status);
  };
  const int status = original_.send(io, &own->request, message, on_sent);
  if (status != 0) return status;
  own.release();
  peer.is_sending = true;
  peer.sent_at_ms = now_ms;
  return 0;
}

struct Guards::SnapshotPut {
  struct raft_io_snapshot_put request = {};
  Guards* guards = nullptr;
  std::uint64_t index = 0;
  struct raft_io_snapshot_put* original = nullptr;
  raft_io_snapshot_put_cb callback = nullptr;
};

int Guards::snapshot_put(struct raft_io* io, unsigned trailing,
                         struct raft_io_snapshot_put* request, const struct raft_snapshot* snapshot,
                         raft_io_snapshot_put_cb cb) {
  if (!is_snapshotting_) return original_.snapshot_put(io, trailing, request, snapshot, cb);
  auto own = std::make_unique<SnapshotPut>();
  own->guards = this;
  own->index = snapshot->index;
  own->original = request;
  own->callback = cb;
  own->request.data = own.get();
  const auto on_put = [](struct raft_io_snapshot_put* put, int status) noexcept {
    const std::unique_ptr<SnapshotPut> done(static_cast<SnapshotPut*>(put->data));
    done->guards->hooks_.on_snapshot_put(done->index, status);
    done->callback(done->original, status);
  };
  const int status = original_.snapshot_put(io, trailing, &own->request, snapshot, on_put);
  if (status == 0) own.release();
  return status;
}

}  // namespace dkron::raft
