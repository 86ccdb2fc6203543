// Node: one member of a Raft group, on a thread of its own; the only door to consensus.
//
// libraft (see docs/architecture.md and the .cpp files of this folder) stays behind this header.
// The Node owns the raft thread and, on it, a libuv loop. open() starts both and returns when the
// log is loaded and the state machine restored; a sole voter leads from then on. In a pristine
// directory without Options::bootstrap the node stands outside of any group until found() or
// adopt(); meanwhile all else is Unavailable. All calls may be made from any thread; callbacks run
// through Options::post. Everything of StateMachine is called on the raft thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/executor.h"
#include "base/file.h"
#include "base/time.h"

namespace dkron::raft {

// One replicated command. Raft does not look into it: kind, version and payload belong to state/.
struct Command {
  std::uint16_t kind = 0;
  std::uint16_t version = 0;
  std::uint64_t request_id = 0;  // 0 = not deduplicated
  std::string payload;
};

// A command as read back from an entry; the views live as long as the call that hands them over.
struct CommandView {
  std::uint16_t kind = 0;
  std::uint16_t version = 0;
  std::uint64_t request_id = 0;
  std::string_view payload;
};

// What applying one command gave. `code` Ok: `payload` is the answer (its form belongs to state/).
struct Outcome {
  ErrorCode code = ErrorCode::Ok;
  std::string message;
  std::string payload;
};

// A file that belongs to a snapshot, as its manifest names it.
struct SnapshotFile {
  std::string name;  // Without a directory.
  std::uint64_t size_bytes = 0;
  bool is_immutable = false;  // Once written, so that equal ones may be one file on disk.
};

// Where the files of a snapshot lie that another server asks for.
struct SnapshotSource {
  Path directory;
  std::vector<SnapshotFile> files;
  std::shared_ptr<void> hold;  // While it lives they stay. Let go of on any thread.
};

// Where the files of another server's snapshot go.
struct SnapshotTarget {
  Path directory;  // Of this snapshot alone; may hold what an earlier attempt has left.
  std::vector<SnapshotFile> files;
  std::vector<Path> donors;  // Directories that may hold some of the same files.
};

class StateMachine {
 public:
  virtual ~StateMachine() = default;

  // Applies one entry: its commands in order, as one atomic write together with `index`. Returns
  // one Outcome per command. Called for every entry exactly once in order of index, except that
  // entries
  // <= applied_index() are skipped by the Node after a restart. An Error stops the node (a command
  // kind that this version does not know, a disk that failed); it is never skipped.
  virtual Result<std::vector<Outcome>> apply(std::uint64_t index,
                                             std::span<const CommandView> commands) = 0;

  // Runs on the raft thread right after apply() of the same entry: the moment to hand Changes to
  // other threads, before any propose() callback of that entry.
  virtual void publish() = 0;

  virtual std::uint64_t applied_index() const = 0;

  // Makes the state durable up to applied_index() and returns a manifest (<= 1 MiB) from which
  // restore() can come back, also after a restart.
  virtual Result<std::string> take_snapshot() = 0;
  // The snapshot with this manifest is on disk; older checkpoints, except those of the one before,
  // may go.
  virtual void snapshot_stored(std::string_view manifest) = 0;
  // Newest snapshot found at start (or installed). Keeps the present state when that is newer.
  virtual Result<void> restore(std::string_view manifest) = 0;

  // Whether restore() of this manifest of another server would work now and after a crash; makes
  // the present state durable when that is what it takes.
  virtual Result<bool> holds(std::string_view manifest) = 0;
  // NotFound: the files are gone. The manifest is one that this server took or restored.
  virtual Result<SnapshotSource> snapshot_source(std::string_view manifest) = 0;
  virtual Result<SnapshotTarget> snapshot_target(std::string_view manifest) = 0;
  // All files are in the target's directory, verified and synced; from now on it holds() them.
  virtual Result<void> snapshot_received(std::string_view manifest) = 0;
};

struct Identity {
  std::string node_name;
  std::uint64_t cluster_id = 0;
  std::uint64_t recovery_epoch = 0;
};

struct Server {
  std::uint64_t id = 0;
  std::string node_name;
  std::string address;  // host:port
  bool is_voter = true;

  bool operator==(const Server&) const = default;
};

struct Options {
  Path directory;                // <data-dir>/raft; made when missing
  std::string node_name;         // The raft id is derived from it (server_id()).
  std::string address;           // host:port told to peers
  bool bootstrap = false;        // Pristine directory only: become a group of one at once.
  std::uint64_t cluster_id = 0;  // Of a group founded here; 0: a random one.
  int multiplier = 1;  // 1..10, scales the election timeout (500 ms) and heartbeat (100 ms).
  std::uint64_t snapshot_threshold_entries = 8192;
  std::uint64_t snapshot_threshold_bytes = 16 * 1024 * 1024;
  Post post;  // Where propose() callbacks run (the main loop).
  // Connects to the raft side of `server` (its present address, TLS: the dialer's business) and
  // calls back once, from any thread, with a connected stream socket. Called on the raft thread;
  // must not block. Null: plain TCP to the address of the configuration.
  std::function<void(const Server& server, std::function<void(Result<UniqueFd>)> done)> dial;
  // A leader whose `post` has run nothing for so long hands its leadership over: it would hold an
  // office that nobody fills.
  Duration stall_limit = seconds(10);
  // Called through `post` when the node can no longer work (state machine Error, log damaged while
  // running); the process should log it and exit.
  std::function<void(Error)> on_fatal;
  // Called through `post` after each change of leader, term, role or configuration.
  std::function<void()> on_change;
};

struct Status {
  // Outside: part of no group yet (pristine), see found() and adopt().
  enum class Role { Unavailable, Outside, Follower, Candidate, Leader };
  Role role = Role::Unavailable;
  std::uint64_t term = 0;
  std::uint64_t commit_index = 0;
  std::uint64_t applied_index = 0;
  std::uint64_t last_log_index = 0;
  std::uint64_t last_snapshot_index = 0;
  std::uint64_t log_bytes = 0;  // Since the last snapshot.
  std::uint64_t entries_in_flight = 0;
  std::string leader_name;  // Empty: none known.
  // Also what is not committed yet; voters and those who only replicate.
  std::vector<Server> configuration;
  std::uint64_t configuration_index = 0;  // Of the entry that holds it.
  // The leader's view of the others; empty elsewhere.
  struct Follower {
    std::uint64_t id = 0;
    std::uint64_t match_index = 0;  // Of its log, as acknowledged.
    bool is_catching_up = false;    // On its way to become a voter.

    bool operator==(const Follower&) const = default;
  };
  std::vector<Follower> followers;
  // This node leads, or has heard from a leader within an election timeout.
  bool has_leader = false;

  bool operator==(const Status&) const = default;
};

std::string_view to_string(Status::Role role);  // "leader", "outside", "shutdown" ...

// raft_digest of the name (SHA-1, last 8 bytes, big-endian; 0 becomes 1).
std::uint64_t server_id(std::string_view node_name);

using ProposeCallback = std::function<void(Result<std::vector<Outcome>>)>;

class Node {
 public:
  // Errors: Conflict (directory locked by another process; node name differs from the stored one,
  // with a text that names both and the two ways out), Corrupt (log shorter than what was
  // acknowledged, damaged segment or snapshot), Io. The identity is kept in
  // <directory>/../identity.json; a node that has one and an empty log waits for a leader's
  // entries.
  static Result<std::unique_ptr<Node>> open(Options options, StateMachine& machine);
  virtual ~Node() = default;  // close() first; otherwise it closes as if the process were killed.

  virtual Identity identity() const = 0;  // Outside: only the name.

  using OnDone = std::function<void(Result<void>)>;

  // A node that stands outside: founds a group of one (an own cluster id), or waits for the leader
  // of the cluster with this id to add it. Conflict when it is part of a group already; adopting
  // the same cluster again is Ok. Durable before the answer.
  virtual void found(OnDone done) = 0;
  virtual void adopt(std::uint64_t cluster_id, std::uint64_t recovery_epoch, OnDone done) = 0;

  // Changes of the group; the leader only (Unavailable elsewhere). They wait for each other, in the
  // order of the calls. An Ok answer means committed. Errors: Unavailable (lost leadership before
  // anything was done; no progress while catching up: try again), OutcomeUnknown, NotFound,
  // Conflict (the id is known with another name, would leave no voter), Overloaded.
  // Adds a server that replicates and does not vote; Ok when it is there already, whatever its
  // address: the one in the configuration is what Options::dial may fall back to.
  virtual void add_server(std::string node_name, std::string address, OnDone done) = 0;
  // Lets it catch up, then vote; Ok when it does already. Its turn among the changes comes when it
  // has caught up, so a server that is slow or dead holds up nobody.
  virtual void promote(std::string node_name, OnDone done) = 0;
  // Any server, this one included (which then leads no longer). Does not tell the server.
  virtual void remove_server(std::uint64_t id, OnDone done) = 0;
  // Hands leadership to the named voter, or to the one that is closest when "" is given. Ok:
  // another leads. Unavailable: it did not take over, this node leads on.
  virtual void transfer_leadership(std::string node_name, OnDone done) = 0;

  // Replicates `commands` and calls back once with their Outcomes, in order. They travel in one
  // entry unless that exceeds kEntryLimitBytes; then in several, in order, and the callback waits
  // for all. Errors: Unavailable (not leader, closed, disk full: nothing was or will be applied),
  // OutcomeUnknown (leadership lost or node stopped while waiting), Overloaded (kQueueLimitBytes),
  // TooLarge (one command above the limit).
  // `may_linger`: nobody waits for it; it may stay up to 10 ms to share an entry with others.
  virtual void propose(std::vector<Command> commands, ProposeCallback callback,
                       bool may_linger = false) = 0;

  // Calls back when every entry proposed before is applied (for reads and for taking office).
  virtual void barrier(std::function<void(Result<void>)> callback) = 0;

  virtual Status status() const = 0;  // Thread-safe, a copy published by the raft thread.

  // Takes a connection of another server, before its first byte is read (the port is shared, so the
  // listener belongs to the process). Closed with a line in the log when its hello does not fit.
  virtual void accept(UniqueFd connection) = 0;

  // Takes a snapshot now.
  virtual void snapshot(std::function<void(Result<void>)> callback) = 0;

  // Orderly end: waits for what is in flight, records the last index, stops the thread. Blocks for
  // at most 5 s; when the thread hangs until then (a dead disk), the process ends with status 1,
  // since that thread goes on using the state machine. Idempotent; the destructor does the same.
  virtual void close() = 0;

  static constexpr std::size_t kEntryLimitBytes = 1024 * 1024;
  static constexpr int kEntriesInFlight = 2;
  static constexpr Duration kLinger = milliseconds(10);
  static constexpr std::size_t kQueueLimitBytes = 64 * 1024 * 1024;  // Then Overloaded.
  static constexpr std::size_t kWaitingChanges = 64;                 // Of the group; likewise.
};

}  // namespace dkron::raft
