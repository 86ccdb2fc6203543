// Any bytes as a job in JSON: reading gives an error or a job that can be written, read again to
// the same, checked, and stored.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "model/job_json.h"
#include "model/rows.h"
#include "model/unicode.h"

namespace {

using namespace dkron;

std::string written(const model::Job& job) {
  std::string out;
  model::append_job(&out, job);
  return out;
}

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const bool take_computed : {false, true}) {
    const auto job = model::parse_job(text, take_computed);
    if (!job) {
      require(job.error().code == ErrorCode::InvalidArgument && !job.error().message.empty());
      continue;
    }
    const std::string json = written(*job);
    require(model::is_valid_utf8(json));
    const auto again = model::parse_job(json, take_computed);
    require(again.has_value() && written(*again) == json);
    require(written(*model::parse_job(model::pretty(json), take_computed)) == json);

    store::JobDefinition row;
    require(row.ParseFromString(model::to_definition(*job).SerializeAsString()));
    model::Job stored;
    model::read_definition(row, &stored);
    if (!take_computed) require(written(stored) == json);

    const auto valid = model::validate(*job, TimeZone());
    require(valid || !valid.error().message.empty());
    if (!valid) continue;
    const auto schedule = model::parse_schedule(*job, TimeZone());
    if (schedule) model::next_activation(*job, *schedule, Instant::from_unix(1'780'000'000));
  }
  return 0;
}
