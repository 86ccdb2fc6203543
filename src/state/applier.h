// Applier: applies the commands of one entry to the store's batch.
//
// Lives for one entry, on the raft thread. Each command sees what the one before it wrote. A
// refused command (business errors are Outcomes) is rolled back to a save point and leaves nothing
// behind; an Error from a member means that the disk failed and stops the node.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "raft/node.h"
#include "state/changes.h"
#include "state/commands.h"
#include "store/store.h"

namespace dkron::state {

class Applier {
 public:
  Applier(store::Batch& batch, std::uint64_t index, Changes& changes)
      : batch_(batch), index_(index), changes_(changes) {}

  Result<raft::Outcome> apply(const raft::CommandView& command);

 private:
  using Outcome = raft::Outcome;

  Result<Outcome> dispatch(const raft::CommandView& command);
  template <class Message>
  Result<Outcome> decode(std::string_view payload,
                         Result<Outcome> (Applier::*handler)(const Message&));

  // apply_jobs.cpp
  Result<Outcome> init_cluster(const store::InitClusterCommand& command);
  Result<Outcome> set_job(const store::SetJobCommand& command);
  Result<Outcome> delete_job(const store::DeleteJobCommand& command);
  Result<Outcome> toggle_job(const store::ToggleJobCommand& command);
  Result<Outcome> delete_executions(const store::DeleteExecutionsCommand& command);
  Result<Outcome> set_pause(const store::SetPauseCommand& command);
  Result<Outcome> set_next(const store::SetNextCommand& command);
  Result<void> leave_schedule(const store::Overdue& overdue, Instant now,
                              const store::JobDefinition& definition, store::JobState* state);
  Result<std::optional<std::string>> find_parent_cycle(const store::JobDefinition& definition);
  Result<void> move_to_parent(const store::JobDefinition& definition,
                              const std::string& old_parent);
  Result<void> edit_dependents(const std::string& parent, const std::string& child, bool add);
  Result<void> erase_job(const store::JobDefinition& definition);

  // apply_launch.cpp
  Result<Outcome> launch(const store::LaunchCommand& command);
  Result<Outcome> miss(const store::MissCommand& command);
  Result<Outcome> manual_run(const store::ManualRunCommand& command);
  Result<Outcome> dependent_run(const store::DependentRunCommand& command);
  Result<Outcome> retry(const store::RetryCommand& command);
  Result<Outcome> started(const store::StartedCommand& command);
  Result<Outcome> open_group(const store::JobDefinition& definition, store::JobState* state,
                             store::OpenGroup group, std::vector<std::string> targets);
  Result<std::int64_t> slot_holder(std::uint64_t uid);

  // apply_done.cpp
  Result<Outcome> done(const store::DoneCommand& command);
  Result<store::Execution> store_result(const store::DoneCommand& command,
                                        const std::string& job_name, const store::OpenGroup* group,
                                        store::JobState* state);
  Result<void> record_without_node(const store::LaunchCommand& launch,
                                   const store::JobDefinition& definition, store::JobState* state);
  Result<Outcome> keep_or_complete(const store::JobDefinition& definition,
                                   const store::OpenGroup& group, store::JobState* state);
  Result<std::string> recorded_status(std::uint64_t uid, std::int64_t group);
  Result<Outcome> late_result(const store::DoneCommand& command,
                              const store::JobDefinition& definition, store::OpenGroup* group,
                              store::JobState* state);
  Result<void> count_result(const store::DoneCommand& command, store::JobState* state);
  Result<void> count_day(Instant day, int successes, int failures, Instant now);
  Result<void> complete_group(const store::JobDefinition& definition, const store::OpenGroup& group,
                              store::JobState* state);
  Result<void> trim_executions(const store::JobDefinition& definition, store::JobState* state);

  // apply_ledger.cpp
  Result<void> record_overdue(const store::Overdue& overdue, Instant now,
                              const store::JobDefinition& definition, store::JobState* state);
  Result<void> void_future(store::JobState* state, Instant now);
  Result<void> add_ledger_row(store::JobState* state, const store::LedgerRow& row);
  Result<void> trim_ledger(store::JobState* state, Instant now);
  Result<void> cut_ledger(store::JobState* state, Instant now);
  Result<Outcome> trim_ledger_by_age(const store::TrimLedgerCommand& command);

  // applier.cpp: typed rows.
  template <class Message>
  Result<std::optional<Message>> find(const std::string& key);
  template <class Message>
  void put(const std::string& key, const Message& message);
  struct FoundJob {
    store::JobDefinition definition;
    store::JobState state;
  };
  Result<std::optional<FoundJob>> find_job(const std::string& name);
  Result<std::optional<FoundJob>> find_job(std::uint64_t uid);
  void put_state(const store::JobDefinition& definition, store::JobState* state,
                 bool definition_changed = false);
  Result<store::ClusterState> cluster();
  Result<std::optional<Outcome>> remembered(std::uint64_t request_id);
  Result<void> remember(std::uint64_t request_id, const Outcome& outcome);

  store::Batch& batch_;
  const std::uint64_t index_;
  Changes& changes_;
};

// Business outcomes.
inline raft::Outcome refuse(ErrorCode code, std::string message) {
  return raft::Outcome{code, std::move(message), {}};
}
raft::Outcome accept(const google::protobuf::MessageLite& answer);

// The same bytes on every server: protobuf writes maps in an order of its own otherwise.
std::string to_row_bytes(const google::protobuf::MessageLite& message);

template <class Message>
Result<std::optional<Message>> Applier::find(const std::string& key) {
  auto bytes = batch_.get(key);
  if (!bytes) return tl::unexpected<Error>(bytes.error());
  if (!bytes->has_value()) return std::optional<Message>();
  Message message;
  if (!message.ParseFromString(**bytes)) {
    return tl::unexpected<Error>(Error{ErrorCode::Corrupt, "store: unreadable row " + key});
  }
  return std::optional<Message>(std::move(message));
}

template <class Message>
void Applier::put(const std::string& key, const Message& message) {
  batch_.put(key, to_row_bytes(message));
}

}  // namespace dkron::state
