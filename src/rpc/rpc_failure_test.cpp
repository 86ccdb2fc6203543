// What becomes of calls when something is wrong: with the peer, the connection, the request; and
// what callers see that are not ours.
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <sys/socket.h>

#include <boost/json.hpp>

#include "rpc/test_support.h"
#include "types/dkron.grpc.pb.h"
#include "types/v1/dkron.grpc.pb.h"

namespace dkron::rpc {
namespace {

namespace v1 = ::types::v1;
using test::Answer;
using test::kPatience;

class RpcFailure : public test::RpcTest {
 protected:
  explicit RpcFailure(bool is_server = true) : RpcTest(is_server) {}

  // As a program of the original would.
  std::shared_ptr<grpc::Channel> other_channel() {
    return grpc::CreateChannel(address_, grpc::InsecureChannelCredentials());
  }
  struct Reply {
    grpc::Status status;
    std::string bytes;
  };
  Reply ask_raw(const std::string& path, const std::string& request) {
    const grpc::Slice slice(request);
    const grpc::ByteBuffer sent(&slice, 1);
    grpc::ByteBuffer received;
    grpc::ClientContext context;
    grpc::GenericStub stub(other_channel());
    std::promise<grpc::Status> status;
    stub.UnaryCall(&context, path, {}, &sent, &received,
                   [&](const grpc::Status& end) { status.set_value(end); });
    Reply reply{status.get_future().get(), ""};
    std::vector<grpc::Slice> slices;
    if (reply.status.ok() && received.Dump(&slices).ok()) {
      for (const grpc::Slice& part : slices)
        reply.bytes.append(reinterpret_cast<const char*>(part.begin()), part.size());
    }
    return reply;
  }
  void expect_other(const std::string& path, const google::protobuf::Message& request,
                    grpc::StatusCode code, const std::string& text) {
    const Reply reply = ask_raw(path, request.SerializeAsString());
    EXPECT_EQ(reply.status.error_code(), code) << path;
    EXPECT_EQ(reply.status.error_message(), text) << path;
  }

  // Ends the connections under way as a dead machine or network would: without a word of HTTP/2.
  void break_connections() {
    far_.run([&] {
      for (const int fd : taken_) {
        ::shutdown(fd, SHUT_RDWR);
        ::close(fd);
      }
      taken_.clear();
    });
  }
  // From now on connections are remembered for that.
  void tap_port() {
    far_.run([&] {
      port_.reset();
      auto port = net::Port::listen(far_.loop(), {"127.0.0.1", 0, nullptr},
                                    {[this](UniqueFd fd, std::string peer) {
                                       taken_.push_back(::dup(fd.get()));
                                       server_->accept(std::move(fd), std::move(peer));
                                     },
                                     nullptr});
      ASSERT_TRUE(port);
      port_ = std::move(*port);
    });
    address_ = "127.0.0.1:" + std::to_string(port_->port());
  }

  std::vector<int> taken_;
};

TEST_F(RpcFailure, nobody_there_is_unavailable) {
  far_.run([&] { port_.reset(); });
  const auto result = ask([&](Client& c, OnDone d) { c.set_paused(address_, true, d); });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::Unavailable) << result.error().message;
  Answer<Result<void>> end;
  near_.run([&] { runs_.push_back(client_->run(address_, {}, {nullptr, end.callback()})); });
  const auto ended = end.wait();
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, ErrorCode::Unavailable) << ended.error().message;
}

TEST_F(RpcFailure, a_connection_that_breaks_leaves_the_outcome_unknown) {
  tap_port();
  services_.local.hold = true;
  std::promise<void> there;
  std::shared_ptr<RunStream> held;
  services_.on_run = [&](const RunRequest& request, std::shared_ptr<RunStream> stream) {
    stream->send(request.execution);
    held = std::move(stream);
  };
  Answer<Result<state::StartedRun>> answer;
  Answer<Result<void>> end;
  near_.run([&] {
    client_->run_job(address_, "j", {}, answer.callback());
    runs_.push_back(client_->run(
        address_, {}, {[&](const model::Execution&) { there.set_value(); }, end.callback()}));
  });
  there.get_future().wait();
  bool is_held = false;
  while (!is_held) far_.run([&] { is_held = !services_.local.held.empty(); });
  break_connections();
  const auto run = answer.wait();
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().code, ErrorCode::OutcomeUnknown) << run.error().message;
  const auto ended = end.wait();
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, ErrorCode::OutcomeUnknown) << ended.error().message;
  far_.run([&] {
    services_.local.held.clear();
    held = nullptr;
  });
}

TEST_F(RpcFailure, a_deadline_leaves_the_outcome_unknown) {
  // The second call has another channel, since the first told that the node is of ours.
  for (int i = 0; i < 2; ++i)
    ASSERT_TRUE(ask([&](Client& c, OnDone d) { c.set_paused(address_, true, d); }));
  std::promise<void> go_on;
  far_.loop().post([&] { go_on.get_future().wait(); });
  const auto result = ask<std::vector<model::Execution>>(
      [&](Client& c, auto d) { c.active_executions(address_, milliseconds(100), d); });
  go_on.set_value();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::OutcomeUnknown) << result.error().message;
}

TEST_F(RpcFailure, a_client_that_goes_does_not_wait_for_its_calls) {
  services_.local.hold = true;
  std::shared_ptr<RunStream> held;
  std::promise<void> there;
  services_.on_run = [&](const RunRequest& request, std::shared_ptr<RunStream> stream) {
    stream->send(request.execution);
    held = std::move(stream);
  };
  bool was_called = false;
  near_.run([&] {
    for (int i = 0; i < 10; ++i)
      client_->run_job(address_, "j", {true}, [&](auto) { was_called = true; });
    runs_.push_back(client_->run(address_, {},
                                 {[&](const model::Execution&) { there.set_value(); },
                                  [&](const Result<void>&) { was_called = true; }}));
  });
  there.get_future().wait();
  near_.run([&] { client_.reset(); });
  near_.run([&] { runs_.clear(); });
  EXPECT_FALSE(was_called);
  far_.run([&] {
    services_.local.held.clear();
    held = nullptr;
  });
}

TEST_F(RpcFailure, a_server_that_goes_ends_what_is_open) {
  services_.local.hold = true;
  std::shared_ptr<RunStream> held;
  services_.on_run = [&](const RunRequest& request, std::shared_ptr<RunStream> stream) {
    stream->send(request.execution);
    held = std::move(stream);
  };
  net::test::RawClient silent(port_->port());
  silent.send("PRI");
  Answer<Result<state::StartedRun>> answer;
  Answer<Result<void>> end;
  std::promise<void> there;
  near_.run([&] {
    client_->run_job(address_, "j", {true}, answer.callback());
    runs_.push_back(client_->run(
        address_, {}, {[&](const model::Execution&) { there.set_value(); }, end.callback()}));
  });
  there.get_future().wait();
  bool is_held = false;
  while (!is_held) far_.run([&] { is_held = !services_.local.held.empty(); });
  const Duration begin = system_clock().steady();
  far_.run([&] {
    server_->stop();
    server_.reset();
  });
  EXPECT_LT(system_clock().steady() - begin, seconds(10));
  const auto run = answer.wait();
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().code, ErrorCode::Unavailable);
  EXPECT_EQ(run.error().message, "the node is shutting down");
  const auto ended = end.wait();
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, ErrorCode::OutcomeUnknown);
  far_.run([&] {
    services_.local.held.clear();
    EXPECT_FALSE(held->is_open());
    held = nullptr;
  });
}

TEST_F(RpcFailure, a_stopped_server_takes_no_new_calls) {
  ASSERT_TRUE(ask([&](Client& c, OnDone d) { c.set_paused(address_, true, d); }));
  far_.run([&] { server_->stop(); });
  const auto result = ask([&](Client& c, OnDone d) { c.set_paused(address_, true, d); });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::Unavailable);
}

TEST_F(RpcFailure, too_many_open_calls_are_refused) {
  services_.local.hold = true;
  Answer<Result<state::StartedRun>> refused;
  std::size_t answered = 0;
  near_.run([&] {
    for (std::size_t i = 0; i <= Server::kOpenCalls; ++i) {
      client_->run_job(address_, "j", {true}, [&, callback = refused.callback()](auto result) {
        if (++answered == 1) callback(std::move(result));
      });
    }
  });
  const auto result = refused.wait();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::Overloaded);
  near_.run([&] { client_.reset(); });
  far_.run([&] { services_.local.held.clear(); });
}

TEST_F(RpcFailure, nonsense_is_an_invalid_argument) {
  const std::string garbage = "\xff\xff\xff\xff";
  for (const char* path : {"/types.v1.Dkron/SetJob", "/types.Dkron/ExecutionDone",
                           "/types.v1.Dkron/SetExecution", "/dkron.v1.Cluster/Adopt"}) {
    EXPECT_EQ(ask_raw(path, garbage).status.error_code(), grpc::INVALID_ARGUMENT) << path;
  }
  for (const char* path : {"/types.v1.Dkron/SetJob", "/types.v1.Dkron/ExecutionDone",
                           "/types.v1.AgentService/AgentRun", "/types.Agent/AgentRun"}) {
    EXPECT_EQ(ask_raw(path, "").status.error_code(), grpc::INVALID_ARGUMENT) << path;
  }
  v1::AgentRunRequest half;
  half.mutable_job();
  expect_other("/types.v1.AgentService/AgentRun", half, grpc::INVALID_ARGUMENT,
               "the execution is missing");
}

// These end the original's process.
TEST_F(RpcFailure, bears_what_the_original_does_not) {
  const auto text =
      read_file(Path(DKRON_SOURCE_DIR) / "tests/golden/grpc/malformed.json", 1 << 20).value();
  int seen = 0;
  const auto recorded = boost::json::parse(text);
  for (const auto& entry : recorded.at("entries").as_array()) {
    if (entry.at("name").as_string() == "setjob_tz_only") continue;  // Is a job, for validate().
    const auto& step = entry.at("steps").at(0);
    const std::string_view digits = step.at("request").at("hex").as_string();
    std::string bytes;
    for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
      bytes += static_cast<char>(std::stoi(std::string(digits.substr(i, 2)), nullptr, 16));
    const std::string path(step.at("method").as_string());
    EXPECT_EQ(ask_raw(path, bytes).status.error_code(), grpc::INVALID_ARGUMENT) << path;
    ++seen;
  }
  EXPECT_EQ(seen, 4);
}

TEST_F(RpcFailure, others_get_the_texts_that_they_know) {
  v1::GetJobRequest get;
  get.set_job_name("j");
  expect_other("/types.v1.Dkron/GetJob", get, grpc::UNKNOWN, "not found");
  v1::ExecutionDoneRequest result;
  result.mutable_execution();
  services_.forwards_results = true;
  expect_other("/types.Dkron/ExecutionDone", result, grpc::UNKNOWN,
               "grpc: Error, server is not leader, this operation should be run on the leader");
  services_.local.error = Error{ErrorCode::NotFound, "job j not found"};
  v1::RunJobRequest run;
  run.set_job_name("j");
  expect_other("/types.v1.Dkron/RunJob", run, grpc::UNKNOWN,
               "agent: Run error retrieving job: j from store: not found");
  v1::DeleteJobRequest remove;
  expect_other("/types.v1.Dkron/DeleteJob", remove, grpc::UNKNOWN,
               "grpc: Error wrong response from apply in DeleteJob: not found");
  v1::RaftRemovePeerByIDRequest peer;
  peer.set_id("nope");
  expect_other("/types.v1.Dkron/RaftRemovePeerByID", peer, grpc::UNKNOWN,
               "id \"nope\" was not found in the Raft configuration");
  services_.local.error = Error{ErrorCode::Conflict, "job j is already running"};
  expect_other("/types.v1.Dkron/RunJob", run, grpc::FAILED_PRECONDITION,
               "job j is already running");
  services_.local.error = Error{ErrorCode::Unavailable, std::string(kNotTheLeader)};
  expect_other("/types.v1.Dkron/DeleteJob", remove, grpc::UNKNOWN, "node is not the leader");
  services_.local.error = Error{ErrorCode::Unavailable, "no leader"};
  expect_other("/types.v1.Dkron/DeleteJob", remove, grpc::UNAVAILABLE, "no leader");
}

TEST_F(RpcFailure, shows_others_only_what_the_original_shows_of_a_job) {
  model::Job job;
  job.name = "j";
  job.owner = "somebody";
  job.executor = "shell";
  job.executor_config = model::StringMap{{"command", "true"}};
  services_.jobs["j"] = job;
  v1::GetJobRequest get;
  get.set_job_name("j");
  const Reply reply = ask_raw("/types.v1.Dkron/GetJob", get.SerializeAsString());
  v1::GetJobResponse response;
  ASSERT_TRUE(reply.status.ok() && response.ParseFromString(reply.bytes));
  EXPECT_EQ(response.ShortDebugString(),
            "job { name: \"j\" executor: \"shell\" "
            "executor_config { key: \"command\" value: \"true\" } }");
}

TEST_F(RpcFailure, tells_its_health) {
  for (const char* service : {"", "types.v1.Dkron", "types.Dkron", "types.v1.AgentService"}) {
    const std::string name = service;
    const std::string request =
        name.empty() ? "" : "\n" + std::string(1, static_cast<char>(name.size())) + name;
    const Reply reply = ask_raw("/grpc.health.v1.Health/Check", request);
    EXPECT_TRUE(reply.status.ok()) << name << ": " << reply.status.error_message();
    EXPECT_EQ(reply.bytes, "\x08\x01") << name;
  }
}

// One call of the reflection service, which stays open behind its answer.
class Reflection final : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  explicit Reflection(const std::shared_ptr<grpc::Channel>& channel) : stub_(channel) {
    const grpc::Slice list_services(std::string("\x3a\0", 2));
    request_ = grpc::ByteBuffer(&list_services, 1);
    stub_.PrepareBidiStreamingCall(
        &context_, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", {}, this);
    StartWrite(&request_);
    StartRead(&response_);
    StartCall();
  }
  void OnReadDone(bool ok) override {
    if (ok) answered.set_value();
  }
  void OnDone(const grpc::Status&) override { done.set_value(); }
  std::string text() const {
    std::vector<grpc::Slice> slices;
    std::string bytes;
    if (!response_.Dump(&slices).ok()) return "";
    for (const grpc::Slice& part : slices)
      bytes.append(reinterpret_cast<const char*>(part.begin()), part.size());
    return bytes;
  }
  std::promise<void> answered;
  std::promise<void> done;

 private:
  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  grpc::ByteBuffer request_;
  grpc::ByteBuffer response_;
};

TEST_F(RpcFailure, shows_its_services_and_ends_although_somebody_looks) {
  Reflection reflection(other_channel());
  ASSERT_EQ(reflection.answered.get_future().wait_for(kPatience), std::future_status::ready);
  for (const char* name : {"types.v1.Dkron", "types.Dkron", "types.v1.AgentService", "types.Agent",
                           "dkron.v1.Cluster", "grpc.health.v1.Health"})
    EXPECT_NE(reflection.text().find(name), std::string::npos) << name;
  far_.run([&] { server_.reset(); });
  EXPECT_EQ(reflection.done.get_future().wait_for(kPatience), std::future_status::ready);
}

class RpcAgent : public RpcFailure {
 protected:
  RpcAgent() : RpcFailure(false) {}
};

TEST_F(RpcAgent, does_what_an_agent_does_and_no_more) {
  services_.on_run = [](const RunRequest& request, const std::shared_ptr<RunStream>& stream) {
    stream->send(request.execution);
    stream->finish({});
  };
  Answer<Result<void>> end;
  near_.run([&] {
    runs_.push_back(client_->run(address_, {}, {[](const model::Execution&) {}, end.callback()}));
  });
  EXPECT_TRUE(end.wait());
  EXPECT_TRUE(ask([&](Client& c, OnDone d) { c.leave(address_, false, d); }));
  const auto deleted = ask([&](Client& c, OnDone d) { c.delete_job(address_, "j", d); });
  ASSERT_FALSE(deleted);
  EXPECT_EQ(deleted.error().code, ErrorCode::Unsupported);
  v1::GetJobRequest get;
  EXPECT_EQ(ask_raw("/types.v1.Dkron/GetJob", "").status.error_code(), grpc::UNIMPLEMENTED);
  const auto paused = ask([&](Client& c, OnDone d) { c.set_paused(address_, true, d); });
  ASSERT_FALSE(paused);
  EXPECT_EQ(paused.error().code, ErrorCode::Unsupported);
}

// ---- A server of the original before 4.0.9

class OldDkron final : public ::types::Dkron::CallbackService {
 public:
  grpc::ServerUnaryReactor* DeleteJob(grpc::CallbackServerContext* context,
                                      const v1::DeleteJobRequest* request,
                                      v1::DeleteJobResponse*) override {
    auto* reactor = context->DefaultReactor();
    reactor->Finish(request->job_name() == "j" ? grpc::Status::OK
                                               : grpc::Status(grpc::UNKNOWN, "not found"));
    return reactor;
  }
};

class OldAgent final : public ::types::Agent::CallbackService {
 public:
  grpc::ServerWriteReactor<v1::AgentRunStream>* AgentRun(grpc::CallbackServerContext*,
                                                         const v1::AgentRunRequest* r) override {
    class Reactor final : public grpc::ServerWriteReactor<v1::AgentRunStream> {
     public:
      explicit Reactor(const v1::AgentRunRequest& request) {
        *message_.mutable_execution() = request.execution();
        StartWriteAndFinish(&message_, {}, grpc::Status::OK);
      }
      void OnDone() override { delete this; }

     private:
      v1::AgentRunStream message_;
    };
    return new Reactor(*r);
  }
};

TEST_F(RpcFailure, falls_back_to_the_older_services_and_remembers_them) {
  OldDkron dkron;
  OldAgent agent;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&dkron);
  builder.RegisterService(&agent);
  const auto server = builder.BuildAndStart();
  const std::string address = "127.0.0.1:" + std::to_string(port);
  for (int round = 0; round < 2; ++round) {
    EXPECT_TRUE(ask([&](Client& c, OnDone d) { c.delete_job(address, "j", d); }));
    const auto missing = ask([&](Client& c, OnDone d) { c.delete_job(address, "x", d); });
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code, ErrorCode::Internal);
    EXPECT_EQ(missing.error().message, "not found");
    Answer<Result<void>> end;
    std::size_t messages = 0;
    near_.run([&] {
      RunRequest request;
      request.execution.group = 5;
      runs_.push_back(client_->run(address, request,
                                   {[&](const model::Execution& execution) {
                                      ++messages;
                                      EXPECT_EQ(execution.group, 5);
                                    },
                                    end.callback()}));
    });
    EXPECT_TRUE(end.wait());
    EXPECT_EQ(messages, 1U);
  }
  const auto deleted = ask([&](Client& c, OnDone d) { c.delete_executions(address, "j", d); });
  ASSERT_FALSE(deleted);
  EXPECT_EQ(deleted.error().code, ErrorCode::Unsupported);
  EXPECT_EQ(deleted.error().message, "the leader does not support deleting executions");
  near_.run([&] {
    runs_.clear();
    client_.reset();
  });
}

}  // namespace
}  // namespace dkron::rpc
