// Guards: corrections of what libraft 0.22.1 does wrong, hung on its public raft_io functions.
//
//   load           A sole voter gets a new term at each start: it would lead in its old term, and
//                  after a lost write two different entries could carry the same (index, term).
//                  A log that is shorter than what this server has acknowledged is refused: libraft
//                  takes damage inside an open segment for a torn write and drops what follows.
//   start          InstallSnapshot that arrives while the server writes its own snapshot is dropped
//                  (libraft dereferences null then), and so is one that the hook does not let pass;
//                  the leader sends it again.
//   send           One InstallSnapshot per follower at a time, and at most one a second: libraft
//                  otherwise sends the payload again and again to a follower that is busy storing
//                  it.
//   snapshot_put   Tells Engine whether its snapshot reached the disk, which libraft keeps to
//   itself.
//
// Owned by Engine; raft thread only. Found from the raft_io through raft->data, which it occupies.
#pragma once

#include <functional>
#include <optional>
#include <unordered_map>

#include "base/error.h"
#include "raft/libraft.h"

namespace dkron::raft {

class Guards {
 public:
  // What io.load found.
  struct Loaded {
    std::uint64_t snapshot_index = 0;
    std::uint64_t start_index = 1;
    const struct raft_entry* entries = nullptr;
    std::size_t n_entries = 0;
  };
  struct Hooks {
    std::function<void(const Loaded&)> on_loaded;
    // The snapshot made by fsm.snapshot is on disk (status 0), or was given up.
    std::function<void(std::uint64_t index, int status)> on_snapshot_put;
    // A message of this server has arrived.
    std::function<void(std::uint64_t server_id)> on_message;
    // Whether libraft may see this InstallSnapshot now.
    std::function<bool(const struct raft_message& message)> may_install;
  };

  static constexpr std::uint64_t kInstallSnapshotIntervalMs = 1000;

  Guards(std::uint64_t acknowledged_index, Hooks hooks);
  Guards(const Guards&) = delete;
  Guards& operator=(const Guards&) = delete;

  // After raft_init, before raft_start.
  void install(struct raft& raft, struct raft_io& io);

  // From a successful fsm.snapshot to fsm.snapshot_finalize.
  void set_snapshotting(bool on) { is_snapshotting_ = on; }
  bool is_snapshotting() const { return is_snapshotting_; }

  // Why load() failed, when it was the tripwire.
  const std::optional<Error>& tripped() const { return tripped_; }
  // Messages dropped by the filter, and held back by the brake.
  std::uint64_t dropped_installs() const { return dropped_installs_; }
  std::uint64_t braked_installs() const { return braked_installs_; }

 private:
  struct Send;
  struct SnapshotPut;
  struct Peer {
    bool is_sending = false;
    std::uint64_t sent_at_ms = 0;
  };

  static Guards& of(struct raft_io* io);
  int load(struct raft_io* io, raft_term* term, raft_id* voted_for, struct raft_snapshot** snapshot,
           raft_index* start_index, struct raft_entry** entries, std::size_t* n_entries);
  bool is_sole_voter(const struct raft_snapshot* snapshot, const struct raft_entry* entries,
                     std::size_t n_entries) const;
  bool may_receive(struct raft_message* message);
  int send(struct raft_io* io, struct raft_io_send* request, const struct raft_message* message,
           raft_io_send_cb cb);
  int snapshot_put(struct raft_io* io, unsigned trailing, struct raft_io_snapshot_put* request,
                   const struct raft_snapshot* snapshot, raft_io_snapshot_put_cb cb);

  const std::uint64_t acknowledged_index_;
  const Hooks hooks_;
  raft_id self_ = 0;
  struct raft_io original_ = {};  // Only its functions are used.
  raft_io_recv_cb receive_ = nullptr;
  bool is_snapshotting_ = false;
  std::optional<Error> tripped_;
  std::unordered_map<raft_id, Peer> peers_;
  std::uint64_t dropped_installs_ = 0;
  std::uint64_t braked_installs_ = 0;
};

}  // namespace dkron::raft
