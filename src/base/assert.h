// DK_ASSERT: a condition that only a bug can break.
//
// It stays on in release builds: a scheduler that goes on with a broken invariant may run a job
// twice or lose it, and a restart from the log is cheaper than that. Bytes from disk, network or
// users are never asserted; they yield an Error. Failing prints the place and aborts.
#pragma once

namespace dkron {

[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);

}  // namespace dkron

#define DK_ASSERT(condition)                           \
  (static_cast<bool>(condition) ? static_cast<void>(0) \
                                : ::dkron::assertion_failed(#condition, __FILE__, __LINE__))
