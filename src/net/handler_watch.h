// HandlerWatch: reports, at debug level, whatever held up the main loop for more than 50 ms.
//
// Stands on the stack of a function that the loop calls; main loop's thread.
#pragma once

#include "base/clock.h"
#include "base/log.h"

namespace dkron::net {

class HandlerWatch {
 public:
  static constexpr Duration kSlow = milliseconds(50);

  HandlerWatch() : before_(system_clock().steady()) {}
  ~HandlerWatch() {
    const Duration took = system_clock().steady() - before_;
    if (took > kSlow) log::debug("main: a handler blocked the loop", {{"took", took}});
  }
  HandlerWatch(const HandlerWatch&) = delete;
  HandlerWatch& operator=(const HandlerWatch&) = delete;

 private:
  Duration before_;
};

}  // namespace dkron::net
