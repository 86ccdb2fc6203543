#include "raft/tracer.h"

#include "base/log.h"

namespace dkron::raft {
namespace {

log::Level level_of(int libraft_level) {
  switch (libraft_level) {
    case 1: return log::Level::Error;
    case 2: return log::Level::Warning;
    case 3: return log::Level::Debug;  // Each election and restart in many lines.
    default: return log::Level::Trace;
  }
}

void emit(struct raft_tracer*, int type, const void* info) noexcept {
  if (type != RAFT_TRACER_DIAGNOSTIC) return;
  const auto& diagnostic = static_cast<const struct raft_tracer_info*>(info)->diagnostic;
  const log::Level level = level_of(diagnostic.level);
  if (!log::is_enabled(level)) return;
  log::write(level, "raft library", {{"detail", diagnostic.message}});
}

}  // namespace

struct raft_tracer* log_tracer() {
  static struct raft_tracer tracer = {nullptr, 2, emit};
  return &tracer;
}

}  // namespace dkron::raft
