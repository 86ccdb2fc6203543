#include "runner/report.h"

#include <algorithm>

#include "model/rows.h"
#include "state/commands.h"

namespace dkron::runner {

using model::set_time;

Duration retry_delay(std::uint32_t attempt, Random& random) {
  const std::uint32_t doublings = std::min(attempt - 1, 20U);
  const Duration pause = std::min<Duration>(kRetryCap, kRetryBase * (std::int64_t{1} << doublings));
  const auto percent = 80 + static_cast<std::int64_t>(random.below(41));
  return pause * percent / 100;
}

raft::Command started_command(std::uint64_t uid, const model::Execution& execution) {
  store::StartedCommand command;
  command.set_uid(uid);
  command.set_group(execution.group);
  command.set_node(execution.node_name);
  command.set_attempt(execution.attempt);
  set_time(command.mutable_started_at(), execution.started_at);
  return state::make_command(state::Kind::Started, command);
}

raft::Command done_command(std::uint64_t uid, model::Execution execution, Instant now,
                           Random& random) {
  store::DoneCommand command;
  command.set_uid(uid);
  command.set_group(execution.group);
  command.set_node(execution.node_name);
  command.set_attempt(execution.attempt);
  set_time(command.mutable_started_at(), execution.started_at);
  set_time(command.mutable_finished_at(), execution.finished_at);
  command.set_success(execution.success);
  command.set_lost(execution.lost);
  command.set_output(std::move(execution.output));
  command.set_output_bytes(execution.output_bytes);
  command.set_output_truncated(execution.output_truncated);
  command.set_retry_delay_ns(retry_delay(execution.attempt, random).count());
  set_time(command.mutable_now(), now);
  return state::make_command(state::Kind::Done, command);
}

}  // namespace dkron::runner
