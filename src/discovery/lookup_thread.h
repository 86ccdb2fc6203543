// run_until: a call that may block for long, bounded by a moment.
//
// The C library's resolver cannot be broken off. So it runs on a thread of its own, and who waits
// goes away when it takes too long; the thread then ends by itself with an answer that nobody
// reads. `work` therefore owns everything it uses. Thread-safe.
#pragma once

#include <functional>

#include "discovery/query.h"

namespace dkron::discovery {

// So many calls may hang at a time; above that a new one is Overloaded at once.
inline constexpr int kLookupThreadLimit = 16;

// Timeout, with `what` in front (`lookup node1: i/o timeout`), when `deadline` comes first.
Result<Addresses> run_until(Duration deadline, const std::string& what,
                            std::function<Result<Addresses>()> work);

}  // namespace dkron::discovery
