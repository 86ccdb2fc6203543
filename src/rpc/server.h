// Server: answers the calls of other nodes over connections that the port hands over.
//
// gRPC's own threads decode and encode; the services of calls.h are called on the main loop. Opens
// no port: the listener of the process (net::Port) sees by the first byte what a connection is for.
#pragma once

#include <memory>
#include <string>

#include "base/file.h"
#include "base/task_loop.h"
#include "rpc/calls.h"

namespace dkron::rpc {

class Server {
 public:
  // Largest message received (gRPC's default, as the original's).
  static constexpr int kMessageLimitBytes = 4 * 1024 * 1024;
  // Open AgentRun streams; more are refused with RESOURCE_EXHAUSTED, as are unary calls beyond
  // kOpenCalls.
  static constexpr std::size_t kOpenRuns = 16'384;
  static constexpr std::size_t kOpenCalls = 4'096;

  struct Services {
    NodeService& node;
    // Null: an agent, whose Dkron services answer Leave; the rest is UNIMPLEMENTED.
    ServerService* server = nullptr;
    std::string node_name;  // Told to callers, who so know a node of ours.
  };
  static Result<std::unique_ptr<Server>> start(TaskLoop& loop, Services services);
  virtual ~Server() = default;  // Ends open calls with UNAVAILABLE.

  // A connected stream socket that has sent nothing that was taken from it; plain HTTP/2. `peer` is
  // for the log.
  virtual void accept(UniqueFd connection, std::string peer) = 0;
  // No new calls; those under way may end until the destructor. Idempotent.
  virtual void stop() = 0;
};

}  // namespace dkron::rpc
