// Handlers: what each unary method does: bytes to values on gRPC's thread, the service's answer on
// the main loop, values to bytes.
//
// The methods are called on gRPC's threads; close() on the main loop, after which nothing reaches
// the services any more.
#pragma once

#include <functional>
#include <memory>

#include "base/task_loop.h"
#include "rpc/server.h"
#include "rpc/server_call.h"

namespace dkron::rpc {

class Handlers {
 public:
  Handlers(TaskLoop& loop, const Server::Services& services);
  void close();

  void get_job(const CallPtr& call, const grpc::ByteBuffer& request) const;
  void execution_done(const CallPtr& call, const grpc::ByteBuffer& request) const;
  void leave(const CallPtr& call, const grpc::ByteBuffer& request) const;
  void set_job(const CallPtr& call, const grpc::ByteBuffer& request) const;
  void delete_job(const CallPtr& call, const grpc::ByteBuffer& request) const;
  void run_job(const CallPtr& call, const grpc::ByteBuffer& request) const;
  void delete_executions(const CallPtr& call, const grpc::ByteBuffer& request) const;
  void toggle_job(const CallPtr& call, const grpc::ByteBuffer& request) const;
  void raft_configuration(const CallPtr& call, const grpc::ByteBuffer& request) const;
  void remove_peer(const CallPtr& call, const grpc::ByteBuffer& request) const;
  void active_executions(const CallPtr& call, const grpc::ByteBuffer& request) const;
  void set_execution(const CallPtr& call, const grpc::ByteBuffer& request) const;

  void promise(const CallPtr& call, const grpc::ByteBuffer& request) const;
  void adopt(const CallPtr& call, const grpc::ByteBuffer& request) const;
  void set_paused(const CallPtr& call, const grpc::ByteBuffer& request) const;
  void force_leave(const CallPtr& call, const grpc::ByteBuffer& request) const;
  void read_index(const CallPtr& call, const grpc::ByteBuffer& request) const;
  void transfer_leadership(const CallPtr& call, const grpc::ByteBuffer& request) const;

  // One AgentRun. Nothing of it happens behind close(); the stream is then dropped.
  void run(RunRequest request, std::shared_ptr<RunStream> stream) const;

 private:
  struct State {
    NodeService* node = nullptr;  // Null behind close(). Main loop.
    ServerService* server = nullptr;
  };
  using Work = std::function<void(ServerService&)>;
  // Runs it on the main loop.
  void on_loop(const CallPtr& call, Work work) const;

  Post post_;
  bool is_server_;
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace dkron::rpc
