// Engine: libraft with everything that hangs on it; the inside of the raft thread.
//
// Lives on the raft thread from start() to the end of its loop, and every member is called there.
// It turns proposals into entries (ProposalQueue), keeps at most Node::kEntriesInFlight of them in
// libraft, feeds the state machine, and answers through Options::post. What other threads read or
// count is in Shared.
//
// Results are kept in the request of the entry, found by log index: libraft applies all committed
// entries in one go and calls back later.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "raft/board.h"
#include "raft/group_changes.h"
#include "raft/guards.h"
#include "raft/identity.h"
#include "raft/libraft.h"
#include "raft/node.h"
#include "raft/proposal_queue.h"
#include "raft/seldom.h"
#include "raft/snapshot_fetcher.h"
#include "raft/snapshot_senders.h"
#include "raft/snapshots.h"
#include "raft/stall_watch.h"
#include "raft/transport.h"

namespace dkron::raft {

struct EngineSetup {
  // Outside: libraft is not started. Found: a group of one is founded. Belong: go on with the log,
  // or with an empty one wait for a leader's entries.
  enum class Begin { Outside, Found, Belong };
  Begin begin = Begin::Outside;
  Options options;
  Identity identity;
  std::uint64_t acknowledged_index = 0;
  std::function<bool(Task)> post;  // To the raft thread; see Transport::Setup.
};

class Engine {
 public:
  struct Shared {
    Board<Status> status;
    Board<Identity> identity;
    std::atomic<std::size_t> queued_bytes{0};  // Of proposals that are in no entry yet.
  };
  // Waiting for what is in flight at an orderly end.
  static constexpr unsigned kDrainLimitMs = 3000;

  // `on_stopped` runs once libraft is closed; the loop then has nothing left of this object but
  // handles that are closing.
  Engine(uv_loop_t& loop, EngineSetup setup, StateMachine& machine, Shared& shared,
         std::function<void()> on_stopped);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Loads the log and restores the state machine, unless this server stands outside. After an error
  // only stop() may be called.
  Result<void> start();
  void found(Node::OnDone done);
  void adopt(std::uint64_t cluster_id, std::uint64_t recovery_epoch, Node::OnDone done);

  void propose(std::shared_ptr<Proposal> proposal);
  void barrier(std::function<void(Result<void>)> callback);
  void snapshot(Snapshots::Callback callback);
  void accept(UniqueFd connection) { transport_.accept(std::move(connection)); }

  void add_server(std::string node_name, std::string address, Node::OnDone done);
  void promote(std::string node_name, Node::OnDone done);
  void remove_server(std::uint64_t id, Node::OnDone done);
  void transfer_leadership(std::string node_name, Node::OnDone done);

  // How: Orderly waits for what is in flight and records the last index; Abrupt does neither.
  enum class Stop { Orderly, Abrupt };
  void stop(Stop how);

 private:
  struct EntryRequest;
  struct BarrierRequest;
  struct WaitingBarrier {
    std::uint64_t after = 0;  // Proposals that must have left the queue.
    std::function<void(Result<void>)> callback;
  };

  // Committed index, uncommitted index, number of servers.
  using ConfigurationStamp = std::array<std::uint64_t, 3>;

  // engine_start.cpp
  Transport::Setup transport_setup();
  Guards::Hooks guard_hooks();
  void begin_to_belong(StoredIdentity stored, const Node::OnDone& done);
  Result<void> start_raft(bool is_founding);
  Result<void> init();
  void configure();
  Result<void> bootstrap();

  // engine.cpp
  void pump();
  bool must_linger();
  void submit(Group group);
  void on_entry_done(EntryRequest* request, int status) noexcept;
  void submit_barrier();
  void on_barrier_done(int status) noexcept;
  void finish(std::vector<Slice>& slices, Result<std::vector<Outcome>> outcomes);
  void post_answers(std::vector<Answer> answers);
  // Why nothing can be asked of libraft (any more); nullopt: it can.
  std::optional<Error> refusal() const;
  void fail_waiting(const Error& error);
  void changes_turn();
  bool is_drained() const;
  void close_raft();
  void close_handles();

  // engine_fsm.cpp
  void fill_fsm();
  int apply(const struct raft_buffer& buffer);
  int restore(struct raft_buffer& buffer);
  bool may_install(const struct raft_message& message);
  int set_fatal(Error error);

  // engine_turn.cpp
  void start_turns();
  void on_turn();
  void watch_stall();
  void report_fatal();
  void publish_status();
  Status read_status() const;

  uv_loop_t& loop_;
  const Options options_;
  const EngineSetup::Begin begin_;
  StateMachine& machine_;
  Shared& shared_;
  const std::function<void()> on_stopped_;
  const std::string address_;  // node_name@host:port
  const std::function<bool(Task)> post_to_raft_;

  SnapshotSenders senders_;
  Transport transport_;
  SnapshotFetcher fetcher_;
  struct raft_io io_ = {};
  struct raft_fsm fsm_ = {};
  struct raft raft_ = {};
  Guards guards_;
  Snapshots snapshots_;

  GroupChanges changes_;
  StallWatch stall_watch_;
  Seldom seldom_;

  ProposalQueue queue_;
  std::vector<std::unique_ptr<EntryRequest>> in_flight_;
  std::vector<WaitingBarrier> barriers_;
  std::unique_ptr<BarrierRequest> barrier_in_flight_;

  uv_prepare_t prepare_ = {};
  uv_check_t check_ = {};
  uv_timer_t linger_timer_ = {};
  uv_timer_t drain_timer_ = {};
  uv_timer_t stall_timer_ = {};

  bool has_io_ = false;      // raft_uv_init succeeded.
  bool has_raft_ = false;    // raft_init succeeded.
  bool is_started_ = false;  // raft_start succeeded; false while outside.
  bool is_stopping_ = false;
  bool is_closing_ = false;  // raft_close was called.
  Stop stop_ = Stop::Abrupt;
  std::optional<Error> fatal_;
  bool is_fatal_reported_ = false;

  Status status_;  // As published last.
  ConfigurationStamp configuration_stamp_ = {};
};

}  // namespace dkron::raft
