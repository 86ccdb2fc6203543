#include "rpc/client_call.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include "rpc/metadata.h"
#include "rpc/status.h"

namespace dkron::rpc {
namespace {

using google::protobuf::Message;

std::string find_metadata(const std::multimap<grpc::string_ref, grpc::string_ref>& all,
                          const char* key) {
  const auto found = all.find(key);
  return found == all.end() ? "" : std::string(found->second.data(), found->second.size());
}

// One try of a call, at one family of services.
class UnaryCall final : public Activity, public std::enable_shared_from_this<UnaryCall> {
 public:
  UnaryCall(std::shared_ptr<ClientCore> core, std::shared_ptr<UnaryRequest> request, OnAnswer done,
            Channels::Lease lease)
      : core_(std::move(core)),
        request_(std::move(request)),
        done_(std::move(done)),
        lease_(std::move(lease)) {}

  void start(bool is_old, bool is_second) {
    is_old_ = is_old;
    is_second_ = is_second;
    bool own_buffer = false;
    grpc::GenericSerialize<grpc::ProtoBufferWriter, Message>(*request_->message, &sent_,
                                                             &own_buffer);
    add_metadata(context_, *core_, request_->metadata);
    if (request_->limit) {
      const auto ns = request_->limit->count();
      context_.set_deadline(
          gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos(ns, GPR_TIMESPAN)));
    }
    core_->begin(shared_from_this());
    const std::string path = request_->method.path(is_old);
    grpc::GenericStub stub(lease_.channel());
    stub.UnaryCall(&context_, path, {}, &sent_, &received_,
                   [self = shared_from_this()](const grpc::Status& status) mutable {
                     complete(std::move(self), status);
                   });
  }

  void cancel() override { context_.TryCancel(); }

 private:
  // On gRPC's thread. No reference to the call remains there.
  static void complete(std::shared_ptr<UnaryCall> self, const grpc::Status& status) {
    UnaryCall* call = self.get();
    const std::shared_ptr<ClientCore> core = call->core_;
    call->read(status);
    core->end(call, [self = std::move(self)] { self->answer(); });
  }

  void read(const grpc::Status& status) {
    is_ours_ = is_answered_by_ours(context_);
    if (!status.ok()) {
      result_ = fail(read_error(context_, status, lease_.target()));
      is_unknown_method_ = status.error_code() == grpc::StatusCode::UNIMPLEMENTED;
      return;
    }
    if (!grpc::GenericDeserialize<grpc::ProtoBufferReader, Message>(&received_,
                                                                    request_->answer.get())
             .ok())
      result_ = fail(ErrorCode::Corrupt, "the answer is no valid message");
  }

  void answer() {
    if (core_->is_closed()) return;
    if (is_ours_) core_->channels().remember_ours(request_->address);
    const bool may_repeat = is_unknown_method_ && !is_ours_ && !is_second_;
    if (may_repeat && request_->method.has_old_family()) {
      auto again = std::make_shared<UnaryCall>(core_, request_, std::move(done_), lease_);
      again->start(!is_old_, true);
      return;
    }
    if (is_second_ && !is_unknown_method_ &&
        (result_ || result_.error().code == ErrorCode::Internal))
      core_->channels().remember_family(request_->address, is_old_);
    done_(std::move(result_), *request_->answer);
  }

  const std::shared_ptr<ClientCore> core_;
  const std::shared_ptr<UnaryRequest> request_;
  OnAnswer done_;
  Channels::Lease lease_;
  grpc::ClientContext context_;
  grpc::ByteBuffer sent_;
  grpc::ByteBuffer received_;
  bool is_old_ = false;
  bool is_second_ = false;
  bool is_ours_ = false;
  bool is_unknown_method_ = false;
  Result<void> result_;
};

}  // namespace

std::string Method::path(bool is_old) const {
  const char* prefix = "";
  switch (service) {
    case Service::Dkron:
    case Service::DkronSince41: prefix = is_old ? "/types.Dkron/" : "/types.v1.Dkron/"; break;
    case Service::Agent: prefix = is_old ? "/types.Agent/" : "/types.v1.AgentService/"; break;
    case Service::Cluster: prefix = "/dkron.v1.Cluster/"; break;
  }
  return std::string(prefix) + name;
}

ClientCore::ClientCore(TaskLoop& loop, Client::Options options)
    : post_(loop.poster()),
      node_name_(std::move(options.node_name)),
      channels_(loop, std::move(options.tls)) {}

void ClientCore::begin(const std::shared_ptr<Activity>& activity) {
  const std::lock_guard lock(mutex_);
  ++busy_;
  activities_.emplace(activity.get(), activity);
}

void ClientCore::end(Activity* activity, Task task) {
  {
    const std::lock_guard lock(mutex_);
    activities_.erase(activity);
  }
  post_(std::move(task));
  const std::lock_guard lock(mutex_);
  --busy_;
  idle_.notify_all();
}

void ClientCore::close() {
  is_closed_ = true;
  std::vector<std::shared_ptr<Activity>> all;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, weak] : activities_) {
      if (auto activity = weak.lock()) all.push_back(std::move(activity));
    }
  }
  for (const auto& activity : all) activity->cancel();
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return busy_ == 0; });
  channels_.close();
}

void start_unary(const std::shared_ptr<ClientCore>& core, UnaryRequest request, OnAnswer done) {
  auto lease = core->channels().lease(request.address);
  const auto shared = std::make_shared<UnaryRequest>(std::move(request));
  if (!lease) {
    core->post([core, shared, done = std::move(done), error = lease.error()] {
      if (!core->is_closed()) done(fail(error), *shared->answer);
    });
    return;
  }
  const bool is_old =
      shared->method.has_old_family() && core->channels().is_old_family(shared->address);
  std::make_shared<UnaryCall>(core, shared, std::move(done), *lease)->start(is_old, false);
}

void add_metadata(grpc::ClientContext& context, const ClientCore& core, const Metadata& metadata) {
  context.AddMetadata(kNodeKey, core.node_name());
  for (const auto& [key, value] : metadata) context.AddMetadata(key, value);
}

bool is_answered_by_ours(const grpc::ClientContext& context) {
  return context.GetServerInitialMetadata().contains(kNodeKey);
}

Error read_error(const grpc::ClientContext& context, const grpc::Status& status,
                 const std::string& target) {
  const auto& trailing = context.GetServerTrailingMetadata();
  // When no connection was there for the call, gRPC names the target as the peer.
  const std::string peer = context.peer();
  return to_error(status, {find_metadata(trailing, kCodeKey), find_metadata(trailing, kTextKey),
                           peer != target && peer != "unknown"});
}

}  // namespace dkron::rpc
