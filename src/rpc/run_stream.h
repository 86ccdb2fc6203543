// ServerRun: an AgentRun that another node ordered, as gRPC sees it; and the stream that the node's
// own code writes to.
//
// Messages leave one at a time. A caller that goes away, or a server that goes down, ends the call
// at once; the run itself does not notice but by is_open(). Thread-safe.
#pragma once

#include <memory>

#include "rpc/server_call.h"

namespace grpc {
template <class Response>
class ServerWriteReactor;
}

namespace dkron::rpc {

class ServerRun {
 public:
  using Reactor = grpc::ServerWriteReactor<grpc::ByteBuffer>;

  static std::shared_ptr<ServerRun> make(std::shared_ptr<OpenSet<ServerRun>> open,
                                         grpc::CallbackServerContext& context);
  virtual ~ServerRun() = default;
  virtual Reactor* reactor() = 0;  // For gRPC; lives until gRPC is done with it.
  virtual std::shared_ptr<RunStream> stream() = 0;
  // Ends it behind what waits to be sent. `status_code`: not the error's usual one.
  virtual void finish(const Result<void>& end, int status_code) = 0;
};

}  // namespace dkron::rpc
