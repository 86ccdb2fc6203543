// Mailbox: the calls of the application's handlers, in order and outside of Serf's own calls.
//
// A handler runs from the timers, never from within a call into Serf, so it may call back into Serf
// whatever Serf was doing when the news came up. It empties itself as soon as time moves on, which
// bounds it by what one input can cause. Part of Serf; lives on its thread.
#pragma once

#include <deque>
#include <utility>

#include "gossip/timers.h"

namespace dkron::gossip {

class Mailbox {
 public:
  explicit Mailbox(Timers& timers) : timers_(timers) {}

  void post(Task task);
  // Drops what waits and takes nothing any more.
  void close();

 private:
  void deliver();

  Timers& timers_;
  std::deque<Task> tasks_;
  bool is_closed_ = false;
  Timers::Handle timer_;
};

}  // namespace dkron::gossip
