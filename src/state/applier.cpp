#include "state/applier.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "model/rows.h"
#include "state/machine.h"
#include "store/keys.h"

namespace dkron::state {

namespace keys = store::keys;

std::string to_row_bytes(const google::protobuf::MessageLite& message) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

// The answer is kept for those who ask again, so it is part of the replicated state.
raft::Outcome accept(const google::protobuf::MessageLite& answer) {
  return raft::Outcome{ErrorCode::Ok, {}, to_row_bytes(answer)};
}

Result<raft::Outcome> Applier::apply(const raft::CommandView& command) {
  auto before = remembered(command.request_id);
  if (!before) return fail(before.error());
  if (*before) return **before;

  batch_.set_save_point();
  const std::size_t changes_before = changes_.size();
  auto outcome = dispatch(command);
  if (!outcome) return outcome;
  if (outcome->code != ErrorCode::Ok) {
    batch_.roll_back_to_save_point();
    changes_.resize(changes_before);
  }
  if (auto kept = remember(command.request_id, *outcome); !kept) return fail(kept.error());
  return outcome;
}

template <class Message>
Result<raft::Outcome> Applier::decode(std::string_view payload,
                                      Result<Outcome> (Applier::*handler)(const Message&)) {
  Message message;
  if (!message.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
    return fail(ErrorCode::Corrupt, "a command of the log cannot be decoded");
  }
  return (this->*handler)(message);
}

Result<raft::Outcome> Applier::dispatch(const raft::CommandView& command) {
  if (command.version == kCommandVersion) {
    switch (static_cast<Kind>(command.kind)) {
      case Kind::InitCluster: return decode(command.payload, &Applier::init_cluster);
      case Kind::SetJob: return decode(command.payload, &Applier::set_job);
      case Kind::DeleteJob: return decode(command.payload, &Applier::delete_job);
      case Kind::ToggleJob: return decode(command.payload, &Applier::toggle_job);
      case Kind::DeleteExecutions: return decode(command.payload, &Applier::delete_executions);
      case Kind::SetPause: return decode(command.payload, &Applier::set_pause);
      case Kind::SetNext: return decode(command.payload, &Applier::set_next);
      case Kind::Launch: return decode(command.payload, &Applier::launch);
      case Kind::Miss: return decode(command.payload, &Applier::miss);
      case Kind::ManualRun: return decode(command.payload, &Applier::manual_run);
      case Kind::DependentRun: return decode(command.payload, &Applier::dependent_run);
      case Kind::Retry: return decode(command.payload, &Applier::retry);
      case Kind::Started: return decode(command.payload, &Applier::started);
      case Kind::Done: return decode(command.payload, &Applier::done);
      case Kind::TrimLedger: return decode(command.payload, &Applier::trim_ledger_by_age);
    }
  }
  return fail(ErrorCode::Internal,
              "the log holds a command of kind " + std::to_string(command.kind) + ", version " +
                  std::to_string(command.version) +
                  ", which this version of dkron does not know: upgrade this server");
}

Result<std::optional<Applier::FoundJob>> Applier::find_job(const std::string& name) {
  auto definition = find<store::JobDefinition>(keys::definition(name));
  if (!definition) return fail(definition.error());
  if (!*definition) return std::nullopt;
  auto state = find<store::JobState>(keys::state((*definition)->uid()));
  if (!state) return fail(state.error());
  if (!*state) return fail(ErrorCode::Corrupt, "store: job " + name + " has no state row");
  return FoundJob{std::move(**definition), std::move(**state)};
}

Result<std::optional<Applier::FoundJob>> Applier::find_job(std::uint64_t uid) {
  auto state = find<store::JobState>(keys::state(uid));
  if (!state) return fail(state.error());
  if (!*state) return std::nullopt;
  auto definition = find<store::JobDefinition>(keys::definition((*state)->name()));
  if (!definition) return fail(definition.error());
  if (!*definition)
    return fail(ErrorCode::Corrupt, "store: job " + (*state)->name() + " has no definition");
  return FoundJob{std::move(**definition), std::move(**state)};
}

void Applier::put_state(const store::JobDefinition& definition, store::JobState* state,
                        bool definition_changed) {
  state->set_version(index_);
  put(keys::state(state->uid()), *state);
  changes_.push_back(JobChanged{summarize(definition, *state), definition_changed});
}

Result<store::ClusterState> Applier::cluster() {
  auto row = find<store::ClusterState>(std::string(keys::kCluster));
  if (!row) return fail(row.error());
  return row->value_or(store::ClusterState());
}

Result<std::optional<raft::Outcome>> Applier::remembered(std::uint64_t request_id) {
  if (request_id == 0) return std::nullopt;
  auto row = find<store::RememberedOutcome>(keys::request(request_id));
  if (!row) return fail(row.error());
  if (!*row) return std::nullopt;
  return Outcome{static_cast<ErrorCode>((*row)->code()), (*row)->message(), (*row)->payload()};
}

Result<void> Applier::remember(std::uint64_t request_id, const Outcome& outcome) {
  if (request_id == 0) return {};
  store::RememberedOutcome row;
  row.set_code(static_cast<std::uint32_t>(outcome.code));
  row.set_message(outcome.message);
  if (outcome.payload.size() <= kRememberedPayloadBytes) row.set_payload(outcome.payload);
  put(keys::request(request_id), row);

  auto state = cluster();
  if (!state) return fail(state.error());
  std::string id;
  keys::append_u64(&id, request_id);
  state->set_last_request(state->last_request() + 1);
  batch_.put(keys::request_sequence(state->last_request()), id);
  if (state->first_request() == 0) state->set_first_request(1);
  if (state->last_request() - state->first_request() >= kRememberedRequests) {
    const std::string oldest = keys::request_sequence(state->first_request());
    auto oldest_id = batch_.get(oldest);
    if (!oldest_id) return fail(oldest_id.error());
    if (*oldest_id) batch_.erase(keys::request(keys::read_u64(**oldest_id)));
    batch_.erase(oldest);
    state->set_first_request(state->first_request() + 1);
  }
  put(std::string(keys::kCluster), *state);
  return {};
}

}  // namespace dkron::state
