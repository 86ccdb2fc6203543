// Post: how a value crosses to the thread that owns an object.
//
// A Post runs the function later on its owner's thread, never from inside the call, in the order of
// the calls of one caller. The main loop, the raft thread and the worker pool each hand one out.
// Thread-safe. After the owner has stopped, functions are dropped (destroyed without being run).
#pragma once

#include <functional>

namespace dkron {

using Task = std::function<void()>;
using Post = std::function<void(Task)>;

}  // namespace dkron
