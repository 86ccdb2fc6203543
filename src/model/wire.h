// Between the model's structs and the messages that nodes exchange (proto/types/v1/dkron.proto).
//
// Reading never fails: what the message does not say is the struct's default, and times that are no
// Instant are brought into range. validate() judges what was read. Pure functions, thread-safe.
#pragma once

#include "model/execution.h"
#include "model/job.h"

namespace google::protobuf {
class Timestamp;
}
namespace types::v1 {
class Execution;
class Job;
}  // namespace types::v1

namespace dkron::model {

// No time is year 1 on the wire, as the original writes it; an absent message reads as no time too.
void set_wire_time(google::protobuf::Timestamp* message, Instant t);
Instant get_wire_time(const google::protobuf::Timestamp& message);

void to_wire(const Job& job, types::v1::Job* message);
Job from_wire(const types::v1::Job& message);

void to_wire(const Execution& execution, types::v1::Execution* message);
Execution from_wire(const types::v1::Execution& message);

}  // namespace dkron::model
