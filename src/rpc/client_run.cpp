#include "rpc/client_run.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include <atomic>

#include "model/wire.h"
#include "types/v1/dkron.pb.h"

namespace dkron::rpc {
namespace {

namespace v1 = ::types::v1;

constexpr Method kAgentRun{Method::Service::Agent, "AgentRun"};

class Attempt;

// What the tries share. Main loop.
struct Run : std::enable_shared_from_this<Run> {
  std::shared_ptr<ClientCore> core;
  std::string address;
  v1::AgentRunRequest message;
  Client::RunHandlers handlers;
  bool is_dropped = false;  // Nobody listens any more.
  bool has_message = false;
  std::weak_ptr<Attempt> attempt;  // Under way; gRPC holds it.

  void start(bool is_old, bool is_second);
  void deliver(model::Execution execution) {
    has_message = true;
    if (!is_dropped && !core->is_closed()) handlers.on_message(std::move(execution));
  }
  void end(const Result<void>& result) {
    if (!is_dropped && !core->is_closed()) handlers.on_end(result);
  }
};

// One try, at one family of services. Reads one message ahead of the main loop, not more.
class Attempt final : public Activity,
                      public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>,
                      public std::enable_shared_from_this<Attempt> {
 public:
  Attempt(std::shared_ptr<Run> run, Channels::Lease lease, bool is_old, bool is_second)
      : run_(std::move(run)),
        core_(run_->core),
        lease_(std::move(lease)),
        is_old_(is_old),
        is_second_(is_second) {}

  void start() {
    bool own_buffer = false;
    grpc::SerializationTraits<v1::AgentRunRequest>::Serialize(run_->message, &sent_, &own_buffer);
    add_metadata(context_, *core_, {});
    self_ = shared_from_this();
    core_->begin(self_);
    grpc::GenericStub stub(lease_.channel());
    stub.PrepareBidiStreamingCall(&context_, kAgentRun.path(is_old_), {}, this);
    AddHold();  // Reads are also started from the main loop.
    StartWriteLast(&sent_, grpc::WriteOptions());
    StartRead(&received_);
    StartCall();
  }

  void cancel() override {
    context_.TryCancel();
    read_on();
  }

  void OnReadInitialMetadataDone(bool ok) override {
    if (ok) is_ours_ = is_answered_by_ours(context_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      RemoveHold();
      return;
    }
    v1::AgentRunStream message;
    if (!grpc::SerializationTraits<v1::AgentRunStream>::Deserialize(&received_, &message).ok()) {
      is_corrupt_ = true;
      context_.TryCancel();
      StartRead(&received_);
      return;
    }
    waits_for_loop_ = true;
    core_->post([self = shared_from_this(), execution = model::from_wire(message.execution())] {
      self->run_->deliver(execution);
      self->read_on();
    });
  }

  void OnDone(const grpc::Status& status) override {
    status_ = status;
    if (!status.ok()) error_ = read_error(context_, status, lease_.target());
    const std::shared_ptr<ClientCore> core = core_;
    core->end(this, [self = std::move(self_)] { self->end(); });
  }

 private:
  void read_on() {
    if (waits_for_loop_.exchange(false)) StartRead(&received_);
  }

  void end() {
    if (core_->is_closed()) return;
    Channels& channels = core_->channels();
    if (is_ours_) channels.remember_ours(run_->address);
    const bool is_unknown = status_.error_code() == grpc::StatusCode::UNIMPLEMENTED;
    if (is_unknown && !is_ours_ && !is_second_ && !run_->has_message && !run_->is_dropped) {
      run_->start(!is_old_, true);
      return;
    }
    if (is_second_ && (status_.ok() || run_->has_message))
      channels.remember_family(run_->address, is_old_);
    run_->end(result());
  }

  // What was refused before anything was started may be ordered again.
  Result<void> result() const {
    if (status_.ok()) return {};
    if (is_corrupt_) return fail(ErrorCode::OutcomeUnknown, "a message of the node is not valid");
    Error error = error_;
    const bool says_not_now =
        error.code == ErrorCode::Unavailable || error.code == ErrorCode::Overloaded;
    if (says_not_now) {
      error.code = run_->has_message ? ErrorCode::OutcomeUnknown : ErrorCode::Unavailable;
    }
    return fail(error);
  }

  const std::shared_ptr<Run> run_;
  const std::shared_ptr<ClientCore> core_;
  Channels::Lease lease_;
  const bool is_old_;
  const bool is_second_;
  grpc::ClientContext context_;
  grpc::ByteBuffer sent_;
  grpc::ByteBuffer received_;
  std::atomic<bool> waits_for_loop_ = false;
  std::atomic<bool> is_corrupt_ = false;
  std::atomic<bool> is_ours_ = false;
  grpc::Status status_;
  Error error_;
  std::shared_ptr<Attempt> self_;  // While gRPC has it.
};

void Run::start(bool is_old, bool is_second) {
  auto lease = core->channels().lease(address);
  if (!lease) {
    core->post([run = shared_from_this(), why = lease.error().message] {
      run->end(fail(ErrorCode::Unavailable, why));
    });
    return;
  }
  const auto started = std::make_shared<Attempt>(shared_from_this(), *lease, is_old, is_second);
  attempt = started;
  started->start();
}

class Handle final : public RemoteRun {
 public:
  explicit Handle(std::shared_ptr<Run> run) : run_(std::move(run)) {}
  ~Handle() override {
    run_->is_dropped = true;
    if (const auto attempt = run_->attempt.lock()) attempt->cancel();
  }

 private:
  std::shared_ptr<Run> run_;
};

v1::AgentRunRequest to_message(const RunRequest& request) {
  v1::AgentRunRequest message;
  model::to_wire(request.job, message.mutable_job());
  model::to_wire(request.execution, message.mutable_execution());
  if (request.launch) {
    auto* launch = message.mutable_launch();
    launch->set_uid(request.launch->uid);
    launch->set_fence(request.launch->fence);
    launch->set_cluster_id(request.launch->cluster_id);
    if (!request.launch->scheduled_at.is_zero())
      model::set_wire_time(launch->mutable_scheduled_at(), request.launch->scheduled_at);
  }
  return message;
}

}  // namespace

std::unique_ptr<RemoteRun> start_run(const std::shared_ptr<ClientCore>& core, std::string address,
                                     const RunRequest& request, Client::RunHandlers handlers) {
  const auto run = std::make_shared<Run>();
  run->core = core;
  run->address = std::move(address);
  run->message = to_message(request);
  run->handlers = std::move(handlers);
  run->start(core->channels().is_old_family(run->address), false);
  return std::make_unique<Handle>(run);
}

}  // namespace dkron::rpc
