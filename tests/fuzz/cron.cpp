// Any text as a schedule: parsing ends with a value or an error, and a value's search keeps its
// promises (later than asked, the same answer again).
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "cron/schedule.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace dkron;
  if (size > 300) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto policy : {cron::DstPolicy::Reference, cron::DstPolicy::RunOnceAfterGap}) {
    const auto schedule = cron::Schedule::parse(text, "job1", {TimeZone::utc(), policy});
    if (!schedule) {
      if (schedule.error().message.empty()) std::abort();
      return 0;
    }
    Instant at = Instant::from_unix(1793491200);
    for (int i = 0; i < 5; ++i) {
      const Instant next = schedule->next_after(at);
      if (next.is_zero()) break;
      if (next <= at || schedule->next_after(at) != next) std::abort();
      at = next;
    }
  }
  return 0;
}
