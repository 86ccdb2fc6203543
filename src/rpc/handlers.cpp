#include "rpc/handlers.h"

#include <google/protobuf/empty.pb.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include "base/go_text.h"
#include "base/log.h"
#include "cluster.pb.h"
#include "model/wire.h"
#include "rpc/metadata.h"
#include "types/v1/dkron.pb.h"

namespace dkron::rpc {
namespace {

namespace v1 = ::types::v1;
namespace cluster = dkron::v1;
using google::protobuf::Empty;
using grpc::ByteBuffer;

void refuse(const CallPtr& call, const std::string& why) {
  call->fail({ErrorCode::InvalidArgument, why}, {}, grpc::StatusCode::INVALID_ARGUMENT);
}

// Nullopt: answered already.
template <class Message>
std::optional<Message> parse(const CallPtr& call, const ByteBuffer& request) {
  ByteBuffer bytes(request);  // Shares the memory.
  std::optional<Message> message(std::in_place);
  if (grpc::SerializationTraits<Message>::Deserialize(&bytes, &*message).ok()) return message;
  refuse(call, "the request is no valid message");
  return std::nullopt;
}

// What escapes here is a bug of ours; the caller learns of it and the process lives on.
void guard(const CallPtr& call, const Task& work) {
  try {
    work();
  } catch (const std::exception& error) {
    log::error("rpc: a handler failed", {{"error", error.what()}});
    call->fail({ErrorCode::Internal, error.what()}, {}, grpc::StatusCode::INTERNAL);
  }
}

OnDone reply_empty(const CallPtr& call) {
  return [call](const Result<void>& done) {
    if (done) {
      call->reply(Empty());
    } else {
      call->fail(done.error());
    }
  };
}

// The form that the original gives to errors of its state machine.
std::string text_of_apply(const char* method, const Error& error) {
  if (error.code != ErrorCode::NotFound && error.code != ErrorCode::Conflict) return "";
  return std::string("grpc: Error wrong response from apply in ") + method + ": " +
         (error.code == ErrorCode::NotFound ? "not found" : error.message);
}

std::string_view text_of_missing(const Error& error) {
  return error.code == ErrorCode::NotFound ? "not found" : "";
}

template <class Response>
void reply_job(const CallPtr& call, const model::Job& job) {
  Response response;
  model::to_wire(job, response.mutable_job());
  call->reply(response);
}

state::ToggleWish to_wish(v1::ToggleJobRequest::Wish wish) {
  switch (wish) {
    case v1::ToggleJobRequest::ENABLE: return state::ToggleWish::Enable;
    case v1::ToggleJobRequest::DISABLE: return state::ToggleWish::Disable;
    default: return state::ToggleWish::Flip;
  }
}

}  // namespace

Handlers::Handlers(TaskLoop& loop, const Server::Services& services)
    : post_(loop.poster()), is_server_(services.server != nullptr) {
  state_->node = &services.node;
  state_->server = services.server;
}

void Handlers::close() {
  *state_ = State();
}

void Handlers::on_loop(const CallPtr& call, Work work) const {
  if (!is_server_) {
    call->fail({ErrorCode::Unsupported, "this node is no server"});
    return;
  }
  post_([call, work = std::move(work), state = state_] {
    if (state->server != nullptr) guard(call, [&] { work(*state->server); });
  });
}

void Handlers::run(RunRequest request, std::shared_ptr<RunStream> stream) const {
  post_([request = std::move(request), stream = std::move(stream), state = state_]() mutable {
    if (state->node == nullptr) return;
    try {
      state->node->run(std::move(request), stream);
    } catch (const std::exception& error) {
      log::error("rpc: a handler failed", {{"error", error.what()}});
      stream->finish(fail(ErrorCode::Internal, error.what()));
    }
  });
}

void Handlers::get_job(const CallPtr& call, const ByteBuffer& bytes) const {
  const auto request = parse<v1::GetJobRequest>(call, bytes);
  if (!request) return;
  on_loop(call, [call, name = request->job_name()](ServerService& server) {
    server.find_job(name, [call](const Result<model::Job>& job) {
      if (!job) {
        call->fail(job.error(), text_of_missing(job.error()));
        return;
      }
      v1::GetJobResponse response;
      response.mutable_job()->set_name(job->name);
      response.mutable_job()->set_executor(job->executor);
      auto& config = *response.mutable_job()->mutable_executor_config();
      if (job->executor_config)
        config.insert(job->executor_config->begin(), job->executor_config->end());
      call->reply(response);
    });
  });
}

void Handlers::execution_done(const CallPtr& call, const ByteBuffer& bytes) const {
  const auto request = parse<v1::ExecutionDoneRequest>(call, bytes);
  if (!request) return;
  if (!request->has_execution()) return refuse(call, "the execution is missing");
  RunResult result{model::from_wire(request->execution()), request->uid()};
  on_loop(call, [call, result](ServerService& server) {
    server.take_result(result, call->info().is_forwarded,
                       [call](const Result<RunResultAnswer>& answer) {
                         if (!answer) {
                           call->fail(answer.error(), text_of_missing(answer.error()));
                         } else if (answer->was_forwarded && call->info().from.empty()) {
                           call->fail({ErrorCode::Unavailable, std::string(kServerIsNotLeader)});
                         } else {
                           v1::ExecutionDoneResponse response;
                           response.set_from(answer->from);
                           response.set_payload(answer->payload);
                           call->reply(response);
                         }
                       });
  });
}

void Handlers::leave(const CallPtr& call, const ByteBuffer&) const {
  const bool is_forced = call->metadata(kForceKey) == "true";
  post_([call, is_forced, state = state_] {
    if (state->node == nullptr) return;
    guard(call, [&] { state->node->leave(is_forced, reply_empty(call)); });
  });
}

void Handlers::set_job(const CallPtr& call, const ByteBuffer& bytes) const {
  const auto request = parse<v1::SetJobRequest>(call, bytes);
  if (!request) return;
  if (!request->has_job()) return refuse(call, "the job is missing");
  state::SetJobOptions options;
  options.is_restore = call->metadata(kRestoreKey) == "true";
  const std::string revision = call->metadata(kExpectedRevisionKey);
  options.expected_revision = revision.empty() ? 0 : std::strtoull(revision.c_str(), nullptr, 10);
  on_loop(call, [call, job = model::from_wire(request->job()), options](ServerService& server) {
    server.control(call->info().is_forwarded)
        .set_job(job, options, [call](const Result<model::Job>& stored) {
          if (stored) {
            reply_job<v1::SetJobResponse>(call, *stored);
          } else {
            call->fail(stored.error());
          }
        });
  });
}

void Handlers::delete_job(const CallPtr& call, const ByteBuffer& bytes) const {
  const auto request = parse<v1::DeleteJobRequest>(call, bytes);
  if (!request) return;
  on_loop(call, [call, name = request->job_name(), state = state_](ServerService& server) {
    // The answer shows the job as it was. Whether it exists is decided by the deletion alone.
    server.find_job(name, [call, name, state](const Result<model::Job>& found) {
      if (state->server == nullptr) return;
      model::Job job;
      job.name = name;
      if (found) job = *found;
      state->server->control(call->info().is_forwarded)
          .delete_job(name, [call, job](const Result<void>& done) {
            if (done) {
              reply_job<v1::DeleteJobResponse>(call, job);
            } else {
              call->fail(done.error(), text_of_apply("DeleteJob", done.error()));
            }
          });
    });
  });
}

void Handlers::run_job(const CallPtr& call, const ByteBuffer& bytes) const {
  const auto request = parse<v1::RunJobRequest>(call, bytes);
  if (!request) return;
  state::RunOptions options;
  options.wait = call->metadata(kWaitKey) == "true";
  options.respect_concurrency = call->metadata(kRespectConcurrencyKey) == "true";
  on_loop(call, [call, name = request->job_name(), options](ServerService& server) {
    const auto done = [call, name](const Result<state::StartedRun>& run) {
      if (!run) {
        const bool is_missing = run.error().code == ErrorCode::NotFound;
        const bool is_conflict = run.error().code == ErrorCode::Conflict;
        call->fail(
            run.error(),
            is_missing ? "agent: Run error retrieving job: " + name + " from store: not found" : "",
            is_conflict ? grpc::StatusCode::FAILED_PRECONDITION : -1);
        return;
      }
      v1::RunJobResponse response;
      model::to_wire(run->job, response.mutable_job());
      response.set_group(run->group);
      call->reply(response);
    };
    server.control(call->info().is_forwarded).run_job(name, options, done);
  });
}

void Handlers::delete_executions(const CallPtr& call, const ByteBuffer& bytes) const {
  const auto request = parse<v1::DeleteExecutionsRequest>(call, bytes);
  if (!request) return;
  on_loop(call, [call, name = request->job_name(), state = state_](ServerService& server) {
    server.control(call->info().is_forwarded)
        .delete_executions(name, [=](const Result<void>& done) {
          if (!done) {
            call->fail(done.error(), text_of_apply("DeleteExecutions", done.error()));
            return;
          }
          if (state->server == nullptr) return;
          state->server->find_job(name, [call, name](const Result<model::Job>& found) {
            model::Job job;
            job.name = name;
            reply_job<v1::DeleteExecutionsResponse>(call, found ? *found : job);
          });
        });
  });
}

void Handlers::toggle_job(const CallPtr& call, const ByteBuffer& bytes) const {
  const auto request = parse<v1::ToggleJobRequest>(call, bytes);
  if (!request) return;
  const state::ToggleWish wish = to_wish(request->wish());
  on_loop(call, [call, name = request->job_name(), wish](ServerService& server) {
    server.control(call->info().is_forwarded)
        .toggle_job(name, wish, [call](const Result<model::Job>& job) {
          if (job) {
            reply_job<v1::ToggleJobResponse>(call, *job);
          } else {
            call->fail(job.error(), text_of_missing(job.error()));
          }
        });
  });
}

void Handlers::raft_configuration(const CallPtr& call, const ByteBuffer&) const {
  on_loop(call, [call](ServerService& server) {
    const RaftConfiguration configuration = server.raft_configuration();
    v1::RaftGetConfigurationResponse response;
    response.set_index(configuration.index);
    response.set_answered_by(configuration.answered_by);
    response.set_why_no_leader(configuration.why_no_leader);
    for (const RaftServer& one : configuration.servers) {
      auto* message = response.add_servers();
      message->set_id(one.id);
      message->set_node(one.node_name);
      message->set_address(one.address);
      message->set_leader(one.is_leader);
      message->set_voter(one.is_voter);
      message->set_raft_protocol(one.protocol);
      message->set_member_status(one.member_status);
      if (one.lag_entries) message->set_lag_entries(*one.lag_entries);
    }
    call->reply(response);
  });
}

void Handlers::remove_peer(const CallPtr& call, const ByteBuffer& bytes) const {
  const auto request = parse<v1::RaftRemovePeerByIDRequest>(call, bytes);
  if (!request) return;
  const bool is_forced = call->metadata(kForceKey) == "true";
  on_loop(call, [call, id = request->id(), is_forced](ServerService& server) {
    const auto answer = [call, id](const Result<void>& done) {
      if (done) {
        call->reply(Empty());
        return;
      }
      const bool is_missing = done.error().code == ErrorCode::NotFound;
      call->fail(
          done.error(),
          is_missing ? "id " + go::quote(id) + " was not found in the Raft configuration" : "");
    };
    server.remove_peer(id, is_forced, call->info().is_forwarded, answer);
  });
}

void Handlers::active_executions(const CallPtr& call, const ByteBuffer&) const {
  on_loop(call, [call](ServerService& server) {
    v1::GetActiveExecutionsResponse response;
    for (const model::Execution& execution : server.active_executions())
      model::to_wire(execution, response.add_executions());
    call->reply(response);
  });
}

void Handlers::set_execution(const CallPtr& call, const ByteBuffer& bytes) const {
  const auto request = parse<v1::Execution>(call, bytes);
  if (!request) return;
  on_loop(call, [call, execution = model::from_wire(*request)](ServerService& server) {
    server.set_execution(execution, reply_empty(call));
  });
}

void Handlers::promise(const CallPtr& call, const ByteBuffer& bytes) const {
  const auto request = parse<cluster::PromiseRequest>(call, bytes);
  if (!request) return;
  Founding founding{request->candidate(), {request->members().begin(), request->members().end()}};
  on_loop(call, [call, founding = std::move(founding)](ServerService& server) {
    server.promise(founding, reply_empty(call));
  });
}

void Handlers::adopt(const CallPtr& call, const ByteBuffer& bytes) const {
  const auto request = parse<cluster::AdoptRequest>(call, bytes);
  if (!request) return;
  Adoption adoption{request->cluster_id(), request->recovery_epoch(), request->leader_name()};
  on_loop(call, [call, adoption = std::move(adoption)](ServerService& server) {
    server.adopt(adoption, reply_empty(call));
  });
}

void Handlers::set_paused(const CallPtr& call, const ByteBuffer& bytes) const {
  const auto request = parse<cluster::SetPausedRequest>(call, bytes);
  if (!request) return;
  on_loop(call, [call, paused = request->paused()](ServerService& server) {
    server.control(call->info().is_forwarded).set_paused(paused, reply_empty(call));
  });
}

void Handlers::transfer_leadership(const CallPtr& call, const ByteBuffer& bytes) const {
  const auto request = parse<cluster::TransferLeadershipRequest>(call, bytes);
  if (!request) return;
  on_loop(call, [call, name = request->node_name()](ServerService& server) {
    server.transfer_leadership(name, call->info().is_forwarded, reply_empty(call));
  });
}

void Handlers::force_leave(const CallPtr& call, const ByteBuffer& bytes) const {
  const auto request = parse<cluster::ForceLeaveRequest>(call, bytes);
  if (!request) return;
  on_loop(call,
          [call, name = request->node_name(), force = request->force()](ServerService& server) {
            server.force_leave(name, force, call->info().is_forwarded, reply_empty(call));
          });
}

void Handlers::read_index(const CallPtr& call, const ByteBuffer&) const {
  on_loop(call, [call](ServerService& server) {
    server.read_index(call->info().is_forwarded, [call](const Result<std::uint64_t>& index) {
      if (!index) {
        call->fail(index.error());
        return;
      }
      cluster::ReadIndexResponse response;
      response.set_index(*index);
      call->reply(response);
    });
  });
}

}  // namespace dkron::rpc
