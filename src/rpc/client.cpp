#include "rpc/client.h"

#include <google/protobuf/empty.pb.h>

#include "cluster.pb.h"
#include "model/wire.h"
#include "rpc/client_call.h"
#include "rpc/client_run.h"
#include "rpc/grpc_log.h"
#include "rpc/metadata.h"
#include "types/v1/dkron.pb.h"

namespace dkron::rpc {
namespace {

namespace v1 = ::types::v1;
namespace cluster = dkron::v1;
using google::protobuf::Empty;
using Service = Method::Service;

// Ends a call whose answer says nothing but that it succeeded.
template <class Answer>
auto without_answer(OnDone done) {
  return [done = std::move(done)](Result<void> result, const Answer&) { done(std::move(result)); };
}

template <class Answer>
auto with_job(state::OnJob done) {
  return [done = std::move(done)](const Result<void>& result, const Answer& answer) {
    if (result) {
      done(model::from_wire(answer.job()));
    } else {
      done(fail(result.error()));
    }
  };
}

state::OnDone with_text_of_missing(OnDone done) {
  return [done = std::move(done)](Result<void> result) {
    if (!result && result.error().code == ErrorCode::Unsupported)
      result.error().message = "the leader does not support deleting executions";
    done(std::move(result));
  };
}

v1::ToggleJobRequest::Wish to_wish(state::ToggleWish wish) {
  switch (wish) {
    case state::ToggleWish::Flip: break;
    case state::ToggleWish::Enable: return v1::ToggleJobRequest::ENABLE;
    case state::ToggleWish::Disable: return v1::ToggleJobRequest::DISABLE;
  }
  return v1::ToggleJobRequest::FLIP;
}

RaftConfiguration to_configuration(const v1::RaftGetConfigurationResponse& message) {
  RaftConfiguration configuration;
  configuration.index = message.index();
  configuration.answered_by = message.answered_by();
  configuration.why_no_leader = message.why_no_leader();
  for (const v1::RaftServer& one : message.servers()) {
    configuration.servers.push_back(
        {one.id(), one.node(), one.address(), one.leader(), one.voter(), one.raft_protocol(),
         one.member_status(),
         one.has_lag_entries() ? std::optional(one.lag_entries()) : std::nullopt});
  }
  return configuration;
}

class GrpcClient final : public Client {
 public:
  GrpcClient(TaskLoop& loop, Options options)
      : forwards_(options.forwards),
        core_(std::make_shared<ClientCore>(loop, std::move(options))) {}
  ~GrpcClient() override { core_->close(); }

  void set_tls(Options::Tls tls) override { core_->channels().set_tls(std::move(tls)); }

  void set_job(const std::string& address, model::Job job, state::SetJobOptions options,
               state::OnJob done) override {
    v1::SetJobRequest message;
    model::to_wire(job, message.mutable_job());
    Metadata metadata;
    if (options.is_restore) metadata.emplace_back(kRestoreKey, "true");
    if (options.expected_revision != 0)
      metadata.emplace_back(kExpectedRevisionKey, std::to_string(options.expected_revision));
    // A server of the original answers with nothing: the job is then what was sent.
    call<v1::SetJobResponse>(
        address, {Service::Dkron, "SetJob"}, std::move(message),
        [job = std::move(job), done = std::move(done)](const Result<void>& result,
                                                       const v1::SetJobResponse& answer) {
          if (!result) {
            done(fail(result.error()));
          } else {
            done(answer.has_job() ? model::from_wire(answer.job()) : job);
          }
        },
        std::move(metadata));
  }

  void delete_job(const std::string& address, std::string name, OnDone done) override {
    v1::DeleteJobRequest message;
    message.set_job_name(std::move(name));
    call<v1::DeleteJobResponse>(address, {Service::Dkron, "DeleteJob"}, std::move(message),
                                without_answer<v1::DeleteJobResponse>(std::move(done)));
  }

  void toggle_job(const std::string& address, std::string name, state::ToggleWish wish,
                  state::OnJob done) override {
    v1::ToggleJobRequest message;
    message.set_job_name(std::move(name));
    message.set_wish(to_wish(wish));
    call<v1::ToggleJobResponse>(address, {Service::Dkron, "ToggleJob"}, std::move(message),
                                with_job<v1::ToggleJobResponse>(std::move(done)));
  }

  void delete_executions(const std::string& address, std::string name, OnDone done) override {
    v1::DeleteExecutionsRequest message;
    message.set_job_name(std::move(name));
    call<v1::DeleteExecutionsResponse>(
        address, {Service::DkronSince41, "DeleteExecutions"}, std::move(message),
        without_answer<v1::DeleteExecutionsResponse>(with_text_of_missing(std::move(done))));
  }

  void set_paused(const std::string& address, bool paused, OnDone done) override {
    cluster::SetPausedRequest message;
    message.set_paused(paused);
    call<Empty>(address, {Service::Cluster, "SetPaused"}, std::move(message),
                without_answer<Empty>(std::move(done)));
  }

  void run_job(const std::string& address, std::string name, state::RunOptions options,
               state::Control::OnRun done) override {
    v1::RunJobRequest message;
    message.set_job_name(std::move(name));
    Metadata metadata;
    if (options.wait) metadata.emplace_back(kWaitKey, "true");
    if (options.respect_concurrency) metadata.emplace_back(kRespectConcurrencyKey, "true");
    call<v1::RunJobResponse>(
        address, {Service::Dkron, "RunJob"}, std::move(message),
        [done = std::move(done)](const Result<void>& result, const v1::RunJobResponse& answer) {
          if (result) {
            done(state::StartedRun{answer.group(), model::from_wire(answer.job())});
          } else {
            done(fail(result.error()));
          }
        },
        std::move(metadata), options.wait ? std::nullopt : std::optional(kCallLimit));
  }

  void deliver_result(const std::string& address, RunResult result,
                      ServerService::OnResult done) override {
    v1::ExecutionDoneRequest message;
    model::to_wire(result.execution, message.mutable_execution());
    message.set_uid(result.uid);
    call<v1::ExecutionDoneResponse>(
        address, {Service::Dkron, "ExecutionDone"}, std::move(message),
        [done = std::move(done)](const Result<void>& called,
                                 const v1::ExecutionDoneResponse& answer) {
          if (called) {
            done(RunResultAnswer{answer.from(), answer.payload()});
          } else if (called.error().code == ErrorCode::Internal &&
                     called.error().message == kServerIsNotLeader) {
            done(RunResultAnswer{"", "saved", true});
          } else {
            done(fail(called.error()));
          }
        });
  }

  void active_executions(const std::string& address, Duration limit, OnExecutions done) override {
    call<v1::GetActiveExecutionsResponse>(
        address, {Service::Dkron, "GetActiveExecutions"}, Empty(),
        [done = std::move(done)](const Result<void>& result,
                                 const v1::GetActiveExecutionsResponse& answer) {
          if (!result) return done(fail(result.error()));
          std::vector<model::Execution> executions;
          for (const auto& one : answer.executions()) executions.push_back(model::from_wire(one));
          done(std::move(executions));
        },
        {}, limit);
  }

  void raft_configuration(const std::string& address, OnConfiguration done) override {
    call<v1::RaftGetConfigurationResponse>(
        address, {Service::Dkron, "RaftGetConfiguration"}, Empty(),
        [done = std::move(done)](const Result<void>& result,
                                 const v1::RaftGetConfigurationResponse& answer) {
          if (result) {
            done(to_configuration(answer));
          } else {
            done(fail(result.error()));
          }
        });
  }

  void remove_peer(const std::string& address, std::string id, bool force, OnDone done) override {
    v1::RaftRemovePeerByIDRequest message;
    message.set_id(std::move(id));
    call<Empty>(address, {Service::Dkron, "RaftRemovePeerByID"}, std::move(message),
                without_answer<Empty>(std::move(done)), forced(force));
  }

  void force_leave(const std::string& address, std::string node_name, bool force,
                   OnDone done) override {
    cluster::ForceLeaveRequest message;
    message.set_node_name(std::move(node_name));
    message.set_force(force);
    call<Empty>(address, {Service::Cluster, "ForceLeave"}, std::move(message),
                without_answer<Empty>(std::move(done)));
  }

  void read_index(const std::string& address, ServerService::OnIndex done) override {
    call<cluster::ReadIndexResponse>(
        address, {Service::Cluster, "ReadIndex"}, Empty(),
        [done = std::move(done)](const Result<void>& result,
                                 const cluster::ReadIndexResponse& answer) {
          if (result) {
            done(answer.index());
          } else {
            done(fail(result.error()));
          }
        });
  }

  void transfer_leadership(const std::string& address, std::string node_name,
                           OnDone done) override {
    cluster::TransferLeadershipRequest message;
    message.set_node_name(std::move(node_name));
    call<Empty>(address, {Service::Cluster, "TransferLeadership"}, std::move(message),
                without_answer<Empty>(std::move(done)));
  }

  void leave(const std::string& address, bool force, OnDone done) override {
    call<Empty>(address, {Service::Dkron, "Leave"}, Empty(), without_answer<Empty>(std::move(done)),
                forced(force));
  }

  void adopt(const std::string& address, Adoption adoption, OnDone done) override {
    cluster::AdoptRequest message;
    message.set_cluster_id(adoption.cluster_id);
    message.set_recovery_epoch(adoption.recovery_epoch);
    message.set_leader_name(std::move(adoption.leader_name));
    call<Empty>(address, {Service::Cluster, "Adopt"}, std::move(message),
                without_answer<Empty>(std::move(done)));
  }

  void promise(const std::string& address, Founding founding, OnDone done) override {
    cluster::PromiseRequest message;
    message.set_candidate(std::move(founding.candidate));
    for (std::string& member : founding.members) message.add_members(std::move(member));
    call<Empty>(address, {Service::Cluster, "Promise"}, std::move(message),
                without_answer<Empty>(std::move(done)));
  }

  std::unique_ptr<RemoteRun> run(const std::string& address, RunRequest request,
                                 RunHandlers handlers) override {
    return start_run(core_, address, request, std::move(handlers));
  }

 private:
  static Metadata forced(bool force) { return force ? Metadata{{kForceKey, "true"}} : Metadata(); }

  template <class Answer, class Message, class Callback>
  void call(const std::string& address, Method method, Message message, Callback done,
            Metadata metadata = {}, std::optional<Duration> limit = kCallLimit) {
    if (forwards_) metadata.emplace_back(kForwardedKey, "1");
    start_unary(
        core_,
        {address, method, std::make_unique<Message>(std::move(message)), std::make_unique<Answer>(),
         std::move(metadata), limit},
        [done = std::move(done)](Result<void> result, const google::protobuf::Message& answer) {
          done(std::move(result), static_cast<const Answer&>(answer));
        });
  }

  const bool forwards_;
  const std::shared_ptr<ClientCore> core_;
};

}  // namespace

std::unique_ptr<Client> Client::make(TaskLoop& loop, Options options) {
  redirect_grpc_log();
  return std::make_unique<GrpcClient>(loop, std::move(options));
}

}  // namespace dkron::rpc
