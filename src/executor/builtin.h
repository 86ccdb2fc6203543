// The executors that are part of the program: shell and http (spec executors 1 and 2).
//
// Both live on the main loop's thread, like every Executor, and must outlive their runs.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "executor/executor.h"
#include "net/http_client.h"
#include "net/loop.h"
#include "process/process.h"

namespace dkron::executor {

struct ShellOptions {
  // Agent option shell-words=4.0: backslash n and t give the letters, as Dkron did before 4.1.2.
  bool words_of_4_0 = false;
  // Agent option shell-env-allow: the agent's variables that a job sees, as names or patterns with
  // `*` and `?`. Empty: all but the settings of the agent and of the plugin protocol.
  std::vector<std::string> env_allow;
};

// A canceled run is given this long between TERM and KILL when its job names no `kill_grace`.
inline constexpr Duration kCancelGrace = seconds(10);

std::unique_ptr<Executor> make_shell_executor(net::Loop& loop, process::Spawner& spawner,
                                              ShellOptions options = {});

// Requests under way at the same time on one node; further runs wait for their turn in a queue of
// net::WorkerPool::kQueueLimit, beyond which they fail. Threads of their own, so that slow servers
// hold up nothing but http jobs.
inline constexpr std::size_t kHttpThreads = 32;

using HttpFetch = std::function<Result<net::FetchResult>(const net::FetchOptions&)>;

// `fetch` is net::http_fetch, but in tests. Destroying the executor breaks off requests under way.
std::unique_ptr<Executor> make_http_executor(net::Loop& loop, HttpFetch fetch);

}  // namespace dkron::executor
