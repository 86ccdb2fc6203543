// For the tests of rpc/: two nodes in one process, each with its services, joined by sockets.
//
// Every wait ends with a failed expectation after kPatience; nothing sleeps.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "net/port.h"
#include "net/test_support.h"
#include "rpc/client.h"
#include "rpc/server.h"

namespace dkron::rpc::test {

using net::test::kPatience;
using net::test::LoopThread;

// Waits for a callback's value. The callback may come on any thread.
template <class T>
class Answer {
 public:
  std::function<void(T)> callback() {
    return [state = state_](T value) { state->set_value(std::move(value)); };
  }
  T wait() {
    auto future = state_->get_future();
    if (future.wait_for(kPatience) != std::future_status::ready) {
      ADD_FAILURE() << "no answer";
      return fail(ErrorCode::Timeout, "no answer");
    }
    return future.get();
  }

 private:
  std::shared_ptr<std::promise<T>> state_ = std::make_shared<std::promise<T>>();
};

// Answers what the tests tell it to. Everything but the promises is used on the loop.
class FakeControl final : public state::Control {
 public:
  void set_job(model::Job job, state::SetJobOptions options, state::OnJob done) override {
    last = "set " + job.name + (options.is_restore ? " restore" : "") + " " +
           std::to_string(options.expected_revision);
    if (error) return done(fail(*error));
    job.revision = 77;
    done(std::move(job));
  }
  void delete_job(std::string name, state::OnDone done) override { answer("delete " + name, done); }
  void toggle_job(std::string name, state::ToggleWish wish, state::OnJob done) override {
    last = "toggle " + name + " " + std::to_string(static_cast<int>(wish));
    if (error) return done(fail(*error));
    model::Job job;
    job.name = name;
    job.disabled = true;
    done(std::move(job));
  }
  void delete_executions(std::string name, state::OnDone done) override {
    answer("delete executions " + name, done);
  }
  void set_paused(bool paused, state::OnDone done) override {
    answer(paused ? "pause" : "resume", done);
  }
  void run_job(std::string name, state::RunOptions options, OnRun done) override {
    last = "run " + name + (options.wait ? " wait" : "") +
           (options.respect_concurrency ? " respect" : "");
    if (hold) {
      held.push_back(std::move(done));
      return;
    }
    if (error) return done(fail(*error));
    state::StartedRun run;
    run.group = 1'700'000'000'000'000'009;
    run.job.name = name;
    done(std::move(run));
  }
  bool is_leader() const override { return true; }
  std::string leader_name() const override { return "s1"; }

  void answer(const std::string& what, const state::OnDone& done) {
    last = what;
    if (error) return done(fail(*error));
    done({});
  }

  std::string last;
  std::optional<Error> error;
  bool hold = false;
  std::vector<OnRun> held;
};

class FakeServices final : public NodeService, public ServerService {
 public:
  void run(RunRequest request, std::shared_ptr<RunStream> stream) override {
    on_run(std::move(request), std::move(stream));
  }
  void leave(bool force, OnDone done) override { local.answer(with("leave", force), done); }

  state::Control& control(bool is_forwarded) override {
    was_forwarded = is_forwarded;
    return local;
  }
  void find_job(std::string name, state::OnJob done) override {
    const auto found = jobs.find(name);
    if (found == jobs.end()) return done(fail(ErrorCode::NotFound, "job " + name + " not found"));
    done(found->second);
  }
  void take_result(RunResult result, bool is_forwarded, OnResult done) override {
    was_forwarded = is_forwarded;
    last_result = std::move(result);
    if (local.error) return done(fail(*local.error));
    done(RunResultAnswer{"s1", "saved", forwards_results});
  }
  void set_execution(model::Execution execution, OnDone done) override {
    local.answer("execution " + execution.id(), done);
  }
  std::vector<model::Execution> active_executions() override { return active; }
  RaftConfiguration raft_configuration() override { return configuration; }
  void remove_peer(std::string id, bool force, bool is_forwarded, OnDone done) override {
    was_forwarded = is_forwarded;
    local.answer(with("remove " + id, force), done);
  }
  void force_leave(std::string name, bool force, bool is_forwarded, OnDone done) override {
    was_forwarded = is_forwarded;
    local.answer(with("force-leave " + name, force), done);
  }
  void read_index(bool is_forwarded, OnIndex done) override {
    was_forwarded = is_forwarded;
    if (local.error) return done(fail(*local.error));
    done(std::uint64_t{1} << 63);
  }
  void transfer_leadership(std::string name, bool is_forwarded, OnDone done) override {
    was_forwarded = is_forwarded;
    local.answer("transfer " + name, done);
  }
  void adopt(Adoption adoption, OnDone done) override {
    local.answer("adopt " + std::to_string(adoption.cluster_id) + " " +
                     std::to_string(adoption.recovery_epoch) + " " + adoption.leader_name,
                 done);
  }
  void promise(Founding founding, OnDone done) override {
    std::string text = "promise " + founding.candidate;
    for (const std::string& member : founding.members) text += " " + member;
    local.answer(text, done);
  }

  static std::string with(std::string text, bool force) { return text + (force ? " forced" : ""); }

  FakeControl local;
  bool was_forwarded = false;
  RunResult last_result;
  bool forwards_results = false;
  std::map<std::string, model::Job> jobs;
  std::vector<model::Execution> active;
  RaftConfiguration configuration;
  std::function<void(RunRequest, std::shared_ptr<RunStream>)> on_run;
};

// A server behind a port, and a client. Loops of their own, as in two processes.
class RpcTest : public testing::Test {
 protected:
  explicit RpcTest(bool is_server = true, net::TlsPtr tls = nullptr) {
    far_.run([&] {
      auto server = Server::start(far_.loop(), {services_, is_server ? &services_ : nullptr, "s1"});
      ASSERT_TRUE(server) << server.error().message;
      server_ = std::move(*server);
      auto port = net::Port::listen(far_.loop(), {"127.0.0.1", 0, tls},
                                    {[this](UniqueFd fd, std::string peer) {
                                       if (server_ != nullptr)
                                         server_->accept(std::move(fd), std::move(peer));
                                     },
                                     nullptr});
      ASSERT_TRUE(port) << port.error().message;
      port_ = std::move(*port);
    });
    address_ = "127.0.0.1:" + std::to_string(port_->port());
    start_client({"n2", false, {}});
  }
  ~RpcTest() override {
    near_.run([&] {
      runs_.clear();
      client_.reset();
    });
    far_.run([&] {
      port_.reset();
      server_.reset();
    });
  }
  void start_client(Client::Options options) {
    near_.run([&] { client_ = Client::make(near_.loop(), std::move(options)); });
  }

  // Makes a call and waits for its answer.
  template <class T>
  Result<T> ask(const std::function<void(Client&, std::function<void(Result<T>)>)>& call) {
    Answer<Result<T>> answer;
    near_.run([&] { call(*client_, answer.callback()); });
    return answer.wait();
  }
  Result<void> ask(const std::function<void(Client&, OnDone)>& call) { return ask<void>(call); }

  FakeServices services_;
  LoopThread far_;
  LoopThread near_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<net::Port> port_;
  std::unique_ptr<Client> client_;
  std::vector<std::unique_ptr<RemoteRun>> runs_;
  std::string address_;
};

}  // namespace dkron::rpc::test
