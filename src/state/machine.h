// Machine: the replicated state machine over the store.
//
// Implements raft::StateMachine: each entry becomes one batch of rows together with its index.
// apply() depends on the log alone: no clock, no zone data, no chance, no local configuration. What
// needs them was decided by the proposer and stands in the command. Raft thread only, except where
// said.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "raft/node.h"
#include "state/changes.h"
#include "store/store.h"

namespace dkron::state {

// Limits that are part of the replicated semantics: the same on every server and in every version,
// or replicas diverge.
inline constexpr std::uint32_t kDefaultKeepExecutions = 100;
inline constexpr std::uint32_t kLedgerRowsLimit = 1'000;
inline constexpr Duration kLedgerAgeLimit = hours(24 * 30);
// Outcomes that lie further ahead of the clock than this are of a clock that was wrong.
inline constexpr Duration kClockBack = hours(1);
inline constexpr std::uint32_t kRangeCountLimit = 10'000;
inline constexpr std::uint64_t kRememberedRequests = 65'536;
inline constexpr std::size_t kRememberedPayloadBytes = 256;
inline constexpr int kStatisticsDays = 400;

class Machine final : public raft::StateMachine {
 public:
  using OnChanges = std::function<void(Changes)>;

  // `store` outlives the machine. `on_changes` is called on the raft thread and must only hand
  // over.
  static Result<std::unique_ptr<Machine>> open(store::Store& store, OnChanges on_changes);
  ~Machine() override;

  Result<std::vector<raft::Outcome>> apply(std::uint64_t index,
                                           std::span<const raft::CommandView> commands) override;
  void publish() override;
  std::uint64_t applied_index() const override { return applied_index_; }
  Result<std::string> take_snapshot() override;
  void snapshot_stored(std::string_view manifest) override;
  Result<void> restore(std::string_view manifest) override;
  Result<bool> holds(std::string_view manifest) override;
  Result<raft::SnapshotSource> snapshot_source(std::string_view manifest) override;
  Result<raft::SnapshotTarget> snapshot_target(std::string_view manifest) override;
  Result<void> snapshot_received(std::string_view manifest) override;

 private:
  Machine(store::Store& store, OnChanges on_changes);
  Result<void> read_applied_index();
  void set_newest_checkpoint(const std::string& name);
  bool is_held(const std::string& checkpoint) const;

  store::Store& store_;
  OnChanges on_changes_;
  std::uint64_t applied_index_ = 0;
  Changes changes_;
  std::string previous_checkpoint_;
  std::string newest_checkpoint_;
  // Checkpoints that are being sent, until nobody holds them.
  std::map<std::string, std::weak_ptr<void>> sent_;
};

}  // namespace dkron::state
