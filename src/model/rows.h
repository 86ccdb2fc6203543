// Between the model's structs and the protobuf messages on disk and in the log (proto/store.proto).
//
// The only place that knows both. Pure functions, thread-safe.
#pragma once

#include "model/execution.h"
#include "model/job.h"
#include "store.pb.h"

namespace dkron::model {

// The zero Instant and an absent message stand for each other.
void set_time(store::Time* message, Instant t);
Instant get_time(const store::Time& message);

store::JobDefinition to_definition(const Job& job);
// Fills the user's part and uid, revisions.
void read_definition(const store::JobDefinition& definition, Job* job);
// Fills the computed part.
void read_state(const store::JobState& state, Job* job);
Job to_job(const store::JobDefinition& definition, const store::JobState& state);

store::Execution to_row(const Execution& execution);  // Without the output.
Execution to_execution(const store::Execution& row, std::string output);

}  // namespace dkron::model
