// Snapshots: when the state machine's manifest becomes a raft snapshot, and what is known about
// them.
//
// libraft takes a snapshot during its next event once its threshold is reached, so update() steers
// that threshold: 1 when a snapshot is due or asked for, otherwise out of reach. A snapshot waits
// while the machine has applied more than this server has stored: the log must never end before the
// state. Owned by Engine; raft thread only.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "raft/guards.h"
#include "raft/log_sizes.h"
#include "raft/node.h"

namespace dkron::raft {

class Snapshots {
 public:
  using Callback = std::function<void(Result<void>)>;
  // After a state machine that could not take one.
  static constexpr Duration kRetryAfter = seconds(10);

  // `on_manifest` hears of every snapshot that this server has from now on.
  using OnManifest = std::function<void(std::string_view manifest)>;
  Snapshots(struct raft& raft, Guards& guards, StateMachine& machine, const Options& options,
            OnManifest on_manifest);

  void request(Callback callback) { requests_.push_back(std::move(callback)); }
  // Each loop turn. Callbacks run through Options::post.
  void update();
  void fail_requests(const Error& error);

  std::uint64_t last_index() const { return last_index_; }
  std::uint64_t bytes_since_last() const { return sizes_.bytes_since_snapshot(); }

  void on_loaded(const Guards::Loaded& loaded);
  void on_entry(std::uint64_t index, std::size_t bytes) { sizes_.record(index, bytes); }
  void on_put(std::uint64_t index, int status);

  // fsm.snapshot, fsm.snapshot_finalize and fsm.restore.
  int take(struct raft_buffer** buffers, unsigned* n_buffers);
  void finalize(struct raft_buffer** buffers, unsigned* n_buffers);
  Result<void> restore(std::string_view payload, std::uint64_t index);

 private:
  bool is_due() const;
  void answer(std::vector<Callback>& callbacks, const Result<void>& result);

  struct raft& raft_;
  Guards& guards_;
  StateMachine& machine_;
  const Options& options_;
  const OnManifest on_manifest_;
  LogSizes sizes_;
  std::uint64_t last_index_ = 0;
  // The newest snapshot is another server's and its files are not here, since the state was as new
  // already: until there is an own one, nobody can be given a snapshot.
  bool needs_own_ = false;
  std::string manifest_;             // Of the snapshot that is being written.
  std::vector<Callback> requests_;   // Wait for a snapshot to begin,
  std::vector<Callback> answering_;  // and for the present one to end.
  Duration retry_at_{0};             // Steady time.
};

}  // namespace dkron::raft
