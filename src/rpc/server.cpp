#include "rpc/server.h"

#include <fcntl.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/resource_quota.h>

#include "base/log.h"
#include "cluster.grpc.pb.h"
#include "model/wire.h"
#include "rpc/grpc_log.h"
#include "rpc/handlers.h"
#include "rpc/metadata.h"
#include "rpc/run_stream.h"
#include "types/dkron.grpc.pb.h"
#include "types/v1/dkron.grpc.pb.h"

namespace dkron::rpc {
namespace {

namespace old_family = ::types;
namespace v1 = ::types::v1;
using grpc::ByteBuffer;
using Context = grpc::CallbackServerContext;

// What the end of the server may take: answers that are under way to peers that read slowly.
constexpr std::int64_t kShutdownLimitMs = 500;
// Threads of the reflection service, the only one that has any of its own.
constexpr int kReflectionThreads = 8;
// Peers of ours ask that often whether we are there, see client.h.
constexpr int kLeastPingPauseMs = 10'000;
constexpr int kPingPauseMs = 30'000;
constexpr int kPingLimitMs = 20'000;
// From the first byte to the first frame of HTTP/2.
constexpr int kHandshakeLimitMs = 10'000;

// Calls as bytes on their way to the handlers, whatever service they came by.
class Desk {
 public:
  Desk(TaskLoop& loop, const Server::Services& services)
      : node_name_(services.node_name),
        handlers_(loop, services),
        calls_(std::make_shared<OpenSet<Call>>(Server::kOpenCalls)),
        runs_(std::make_shared<OpenSet<ServerRun>>(Server::kOpenRuns)) {}

  using Handler = void (Handlers::*)(const CallPtr&, const ByteBuffer&) const;
  grpc::ServerUnaryReactor* start(Context* context, const ByteBuffer* request, ByteBuffer* response,
                                  Handler handler) {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    context->AddInitialMetadata(kNodeKey, node_name_);
    const auto call = std::make_shared<Call>(calls_, Call::Parts{*context, *reactor, *response});
    if (const auto admitted = calls_->add(call); !admitted) {
      call->fail(admitted.error());
      return reactor;
    }
    try {
      (handlers_.*handler)(call, *request);
    } catch (const std::exception& error) {
      log::error("rpc: a handler failed", {{"error", error.what()}});
      call->fail({ErrorCode::Internal, error.what()}, {}, grpc::StatusCode::INTERNAL);
    }
    return reactor;
  }

  ServerRun::Reactor* start_run(Context* context, const ByteBuffer* bytes) {
    context->AddInitialMetadata(kNodeKey, node_name_);
    const auto run = ServerRun::make(runs_, *context);
    ServerRun::Reactor* reactor = run->reactor();
    if (const auto admitted = runs_->add(run); !admitted) {
      run->finish(fail(admitted.error()), -1);
      return reactor;
    }
    ByteBuffer copy(*bytes);
    v1::AgentRunRequest request;
    const bool is_valid =
        grpc::SerializationTraits<v1::AgentRunRequest>::Deserialize(&copy, &request).ok();
    if (!is_valid || !request.has_job() || !request.has_execution()) {
      const char* why = !is_valid            ? "the request is no valid message"
                        : !request.has_job() ? "the job is missing"
                                             : "the execution is missing";
      run->finish(fail(ErrorCode::InvalidArgument, why), grpc::StatusCode::INVALID_ARGUMENT);
      return reactor;
    }
    handlers_.run(read(request), run->stream());
    return reactor;
  }

  void stop() {
    calls_->close();
    runs_->close();
  }
  void close() {
    stop();
    handlers_.close();
    const Error error{ErrorCode::Unavailable, kShuttingDown};
    for (const auto& call : calls_->all()) call->fail(error);
    for (const auto& run : runs_->all()) run->finish(fail(error), -1);
  }

 private:
  static RunRequest read(const v1::AgentRunRequest& message) {
    RunRequest request{model::from_wire(message.job()), model::from_wire(message.execution()), {}};
    if (message.has_launch()) {
      const v1::Launch& launch = message.launch();
      request.launch = Launch{launch.uid(), launch.fence(),
                              model::get_wire_time(launch.scheduled_at()), launch.cluster_id()};
    }
    return request;
  }

  const std::string node_name_;
  Handlers handlers_;
  std::shared_ptr<OpenSet<Call>> calls_;
  std::shared_ptr<OpenSet<ServerRun>> runs_;
};

// Both families of Dkron; the older one does not know the raw DeleteExecutions, so it is not a
// method there. The names below hide those of the generated classes on purpose: they override them
// where there is something to override.
template <class Base>
class DkronMethods : public Base {
 public:
  explicit DkronMethods(Desk& desk) : desk_(desk) {}

#define DKRON_METHOD(name, handler)                                           \
  grpc::ServerUnaryReactor* name(Context* context, const ByteBuffer* request, \
                                 ByteBuffer* answer) {                        \
    return desk_.start(context, request, answer, &Handlers::handler);         \
  }
  DKRON_METHOD(GetJob, get_job)
  DKRON_METHOD(ExecutionDone, execution_done)
  DKRON_METHOD(Leave, leave)
  DKRON_METHOD(SetJob, set_job)
  DKRON_METHOD(DeleteJob, delete_job)
  DKRON_METHOD(RunJob, run_job)
  DKRON_METHOD(DeleteExecutions, delete_executions)
  DKRON_METHOD(ToggleJob, toggle_job)
  DKRON_METHOD(RaftGetConfiguration, raft_configuration)
  DKRON_METHOD(RaftRemovePeerByID, remove_peer)
  DKRON_METHOD(GetActiveExecutions, active_executions)
  DKRON_METHOD(SetExecution, set_execution)

 private:
  Desk& desk_;
};

template <class Service>
using RawDkron = typename Service::template WithRawCallbackMethod_GetJob<
    typename Service::template WithRawCallbackMethod_ExecutionDone<
        typename Service::template WithRawCallbackMethod_Leave<
            typename Service::template WithRawCallbackMethod_SetJob<
                typename Service::template WithRawCallbackMethod_DeleteJob<
                    typename Service::template WithRawCallbackMethod_RunJob<
                        typename Service::template WithRawCallbackMethod_ToggleJob<
                            typename Service::template WithRawCallbackMethod_RaftGetConfiguration<
                                typename Service::template WithRawCallbackMethod_RaftRemovePeerByID<
                                    typename Service::
                                        template WithRawCallbackMethod_GetActiveExecutions<
                                            typename Service::
                                                template WithRawCallbackMethod_SetExecution<
                                                    typename Service::Service>>>>>>>>>>>;
using Dkron = DkronMethods<v1::Dkron::WithRawCallbackMethod_DeleteExecutions<RawDkron<v1::Dkron>>>;
using OldDkron = DkronMethods<RawDkron<old_family::Dkron>>;

template <class Base>
class AgentMethods final : public Base {
 public:
  explicit AgentMethods(Desk& desk) : desk_(desk) {}
  ServerRun::Reactor* AgentRun(Context* context, const ByteBuffer* request) override {
    return desk_.start_run(context, request);
  }

 private:
  Desk& desk_;
};
using Agent =
    AgentMethods<v1::AgentService::WithRawCallbackMethod_AgentRun<v1::AgentService::Service>>;
using OldAgent =
    AgentMethods<old_family::Agent::WithRawCallbackMethod_AgentRun<old_family::Agent::Service>>;

using cluster_service = dkron::v1::Cluster;
using RawCluster = cluster_service::WithRawCallbackMethod_Promise<
    cluster_service::WithRawCallbackMethod_Adopt<cluster_service::WithRawCallbackMethod_SetPaused<
        cluster_service::WithRawCallbackMethod_TransferLeadership<
            cluster_service::WithRawCallbackMethod_ForceLeave<
                cluster_service::WithRawCallbackMethod_ReadIndex<cluster_service::Service>>>>>>;
class Cluster final : public RawCluster {
 public:
  explicit Cluster(Desk& desk) : desk_(desk) {}
  DKRON_METHOD(Promise, promise)
  DKRON_METHOD(Adopt, adopt)
  DKRON_METHOD(SetPaused, set_paused)
  DKRON_METHOD(TransferLeadership, transfer_leadership)
  DKRON_METHOD(ForceLeave, force_leave)
  DKRON_METHOD(ReadIndex, read_index)

 private:
  Desk& desk_;
};
#undef DKRON_METHOD

class GrpcServer final : public Server {
 public:
  GrpcServer(TaskLoop& loop, const Services& services)
      : is_server_(services.server != nullptr),
        desk_(loop, services),
        dkron_(desk_),
        old_dkron_(desk_),
        agent_(desk_),
        old_agent_(desk_),
        cluster_(desk_) {}

  ~GrpcServer() override {
    if (server_ == nullptr) return;
    desk_.close();
    server_->Shutdown(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                   gpr_time_from_millis(kShutdownLimitMs, GPR_TIMESPAN)));
  }

  Result<void> open();
  void accept(UniqueFd connection, std::string peer) override;
  void stop() override;

 private:
  void show_health(bool is_serving);

  bool is_server_;
  bool is_stopping_ = false;
  Desk desk_;
  Dkron dkron_;
  OldDkron old_dkron_;
  Agent agent_;
  OldAgent old_agent_;
  Cluster cluster_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  std::unique_ptr<grpc::Server> server_;
};

Result<void> GrpcServer::open() {
  grpc::ServerBuilder builder;
  builder.RegisterService(&dkron_);
  builder.RegisterService(&old_dkron_);
  builder.RegisterService(&agent_);
  builder.RegisterService(&old_agent_);
  if (is_server_) builder.RegisterService(&cluster_);
  builder.SetMaxReceiveMessageSize(kMessageLimitBytes);
  builder.SetResourceQuota(grpc::ResourceQuota("rpc").SetMaxThreads(kReflectionThreads));
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kLeastPingPauseMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kPingPauseMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kPingLimitMs);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeLimitMs);
  using Type = grpc::ServerBuilder::experimental_type::ExternalConnectionType;
  acceptor_ = builder.experimental().AddExternalConnectionAcceptor(
      Type::FROM_FD, grpc::InsecureServerCredentials());
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) return fail(ErrorCode::Internal, "gRPC did not start");
  show_health(true);
  return {};
}

void GrpcServer::show_health(bool is_serving) {
  auto* health = server_->GetHealthCheckService();
  if (health == nullptr) return;
  health->SetServingStatus("", is_serving);
  for (const char* name :
       {v1::AgentService::service_full_name(), old_family::Agent::service_full_name()})
    health->SetServingStatus(name, is_serving);
  if (!is_server_) return;
  for (const char* name : {v1::Dkron::service_full_name(), old_family::Dkron::service_full_name()})
    health->SetServingStatus(name, is_serving);
}

void GrpcServer::accept(UniqueFd connection, std::string peer) {
  if (is_stopping_) return;
  // A blocking descriptor would hang the server's end.
  const int flags = ::fcntl(connection.get(), F_GETFL);
  if (flags < 0 || ::fcntl(connection.get(), F_SETFL, flags | O_NONBLOCK) != 0) return;
  log::debug("rpc: a node has connected", {{"peer", peer}});
  grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters parameters;
  parameters.fd = connection.release();
  acceptor_->HandleNewConnection(&parameters);
}

void GrpcServer::stop() {
  if (is_stopping_) return;
  is_stopping_ = true;
  desk_.stop();
  show_health(false);
}

}  // namespace

Result<std::unique_ptr<Server>> Server::start(TaskLoop& loop, Services services) {
  redirect_grpc_log();
  // Both are settings of the library that every later server takes; setting them again is harmless.
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  auto server = std::make_unique<GrpcServer>(loop, services);
  if (auto opened = server->open(); !opened) return fail(opened.error());
  return server;
}

}  // namespace dkron::rpc
