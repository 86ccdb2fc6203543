// Any bytes as messages of other nodes: what is read can be written, and reads the same again.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "model/job_json.h"
#include "model/wire.h"
#include "types/v1/dkron.pb.h"

namespace {

using namespace dkron;

void require(bool holds) {
  if (!holds) std::abort();
}

void try_job(const types::v1::Job& message) {
  const model::Job job = model::from_wire(message);
  types::v1::Job written;
  model::to_wire(job, &written);
  types::v1::Job parsed;
  require(parsed.ParseFromString(written.SerializeAsString()));
  const model::Job again = model::from_wire(parsed);
  std::string json;
  std::string json_again;
  model::append_job(&json, job);
  model::append_job(&json_again, again);
  require(json == json_again && job.version == again.version);
  const auto valid = model::validate(job, TimeZone());
  require(valid || !valid.error().message.empty());
}

void try_execution(const types::v1::Execution& message) {
  const model::Execution execution = model::from_wire(message);
  types::v1::Execution written;
  model::to_wire(execution, &written);
  const std::string bytes = written.SerializeAsString();
  types::v1::Execution parsed;
  require(parsed.ParseFromString(bytes));
  const model::Execution again = model::from_wire(parsed);
  require(again.id() == execution.id() && again.output == execution.output);
  types::v1::Execution rewritten;
  model::to_wire(again, &rewritten);
  require(rewritten.SerializeAsString() == bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const int length = static_cast<int>(size);
  types::v1::AgentRunRequest run;
  if (run.ParseFromArray(data, length)) {
    try_job(run.job());
    try_execution(run.execution());
    model::get_wire_time(run.launch().scheduled_at());
  }
  types::v1::GetActiveExecutionsResponse active;
  if (active.ParseFromArray(data, length)) {
    for (const auto& execution : active.executions()) try_execution(execution);
  }
  return 0;
}
