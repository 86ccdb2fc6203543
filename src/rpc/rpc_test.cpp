// Calls of our client to our server over loopback connections.
#include "rpc/test_support.h"

namespace dkron::rpc {
namespace {

using test::Answer;
using test::kPatience;

class Rpc : public test::RpcTest {};

model::Job make_job(const std::string& name) {
  model::Job job;
  job.name = name;
  job.schedule = "@every 1m";
  job.executor = "shell";
  job.executor_config = model::StringMap{{"command", "true"}};
  job.keep_executions = 5;
  return job;
}

TEST_F(Rpc, sets_a_job_with_all_options) {
  const auto stored = ask<model::Job>([&](Client& client, auto done) {
    client.set_job(address_, make_job("a"), {true, 41}, done);
  });
  ASSERT_TRUE(stored) << stored.error().message;
  EXPECT_EQ(stored->name, "a");
  EXPECT_EQ(stored->revision, 77U);
  EXPECT_EQ(stored->keep_executions, 5U);
  EXPECT_EQ(services_.local.last, "set a restore 41");
  EXPECT_FALSE(services_.was_forwarded);
}

TEST_F(Rpc, says_that_a_call_was_passed_on) {
  start_client({"s2", true, {}});
  EXPECT_TRUE(ask([&](Client& client, OnDone done) { client.set_paused(address_, true, done); }));
  EXPECT_EQ(services_.local.last, "pause");
  EXPECT_TRUE(services_.was_forwarded);
  services_.was_forwarded = false;
  const auto index = ask<std::uint64_t>([&](Client& c, auto d) { c.read_index(address_, d); });
  ASSERT_TRUE(index);
  EXPECT_EQ(*index, std::uint64_t{1} << 63);
  EXPECT_TRUE(services_.was_forwarded);
}

TEST_F(Rpc, makes_every_call_without_an_answer) {
  using Call = std::function<void(Client&, OnDone)>;
  const std::pair<Call, std::string> calls[] = {
      {[&](Client& c, OnDone d) { c.delete_job(address_, "j", d); }, "delete j"},
      {[&](Client& c, OnDone d) { c.delete_executions(address_, "j", d); }, "delete executions j"},
      {[&](Client& c, OnDone d) { c.set_paused(address_, false, d); }, "resume"},
      {[&](Client& c, OnDone d) { c.remove_peer(address_, "s3", false, d); }, "remove s3"},
      {[&](Client& c, OnDone d) { c.remove_peer(address_, "s3", true, d); }, "remove s3 forced"},
      {[&](Client& c, OnDone d) { c.force_leave(address_, "n", true, d); }, "force-leave n forced"},
      {[&](Client& c, OnDone d) { c.transfer_leadership(address_, "s2", d); }, "transfer s2"},
      {[&](Client& c, OnDone d) { c.leave(address_, false, d); }, "leave"},
      {[&](Client& c, OnDone d) { c.leave(address_, true, d); }, "leave forced"},
      {[&](Client& c, OnDone d) {
         c.adopt(address_, {1ULL << 63, 3, "s9"}, d);
       },
       "adopt 9223372036854775808 3 s9"},
      {[&](Client& c, OnDone d) {
         c.promise(address_, {"s1", {"s1", "s2"}}, d);
       },
       "promise s1 s1 s2"},
  };
  for (const auto& [call, seen] : calls) {
    services_.local.error = std::nullopt;
    const auto good = ask(call);
    EXPECT_TRUE(good) << seen << ": " << good.error().message;
    EXPECT_EQ(services_.local.last, seen);
    services_.local.error = Error{ErrorCode::Conflict, "no, \"thanks\" ß"};
    const auto bad = ask(call);
    ASSERT_FALSE(bad) << seen;
    EXPECT_EQ(bad.error().code, ErrorCode::Conflict) << seen;
    EXPECT_EQ(bad.error().message, "no, \"thanks\" ß") << seen;
  }
}

TEST_F(Rpc, keeps_every_error_code) {
  for (const ErrorCode code :
       {ErrorCode::InvalidArgument, ErrorCode::NotFound, ErrorCode::Conflict, ErrorCode::TooLarge,
        ErrorCode::Unavailable, ErrorCode::OutcomeUnknown, ErrorCode::Overloaded,
        ErrorCode::Timeout, ErrorCode::Canceled, ErrorCode::Io, ErrorCode::Corrupt,
        ErrorCode::Internal, ErrorCode::Unsupported}) {
    services_.local.error = Error{code, "text of it"};
    const auto result = ask<model::Job>(
        [&](Client& c, auto d) { c.toggle_job(address_, "j", state::ToggleWish::Disable, d); });
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, code);
    EXPECT_EQ(result.error().message, "text of it");
    EXPECT_EQ(services_.local.last, "toggle j 2");
  }
}

TEST_F(Rpc, runs_a_job) {
  const auto run = ask<state::StartedRun>([&](Client& c, auto d) {
    c.run_job(address_, "j", {true, true}, d);
  });
  ASSERT_TRUE(run) << run.error().message;
  EXPECT_EQ(run->group, 1'700'000'000'000'000'009);
  EXPECT_EQ(run->job.name, "j");
  EXPECT_EQ(services_.local.last, "run j wait respect");
  services_.local.error = Error{ErrorCode::NotFound, "job j not found"};
  const auto missing =
      ask<state::StartedRun>([&](Client& c, auto d) { c.run_job(address_, "j", {}, d); });
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::NotFound);
  EXPECT_EQ(missing.error().message, "job j not found");
}

TEST_F(Rpc, delivers_a_result) {
  RunResult result;
  result.execution.job_name = "j";
  result.execution.output = std::string("\xff\0", 2);
  result.execution.lost = true;
  result.execution.output_bytes = 9;
  result.uid = 12;
  const auto answer =
      ask<RunResultAnswer>([&](Client& c, auto d) { c.deliver_result(address_, result, d); });
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->from, "s1");
  EXPECT_EQ(answer->payload, "saved");
  EXPECT_EQ(services_.last_result.uid, 12U);
  EXPECT_EQ(services_.last_result.execution.output, result.execution.output);
  EXPECT_TRUE(services_.last_result.execution.lost);
  EXPECT_EQ(services_.last_result.execution.output_bytes, 9U);
}

TEST_F(Rpc, a_result_that_was_passed_on_is_taken) {
  services_.local.error = Error{ErrorCode::Internal, std::string(kServerIsNotLeader)};
  const auto answer =
      ask<RunResultAnswer>([&](Client& c, auto d) { c.deliver_result(address_, {}, d); });
  ASSERT_TRUE(answer);
  EXPECT_TRUE(answer->was_forwarded);
}

TEST_F(Rpc, reads_what_a_server_shows) {
  model::Execution execution;
  execution.job_name = "j";
  execution.started_at = Instant::from_unix(1'700'000'000, 1);
  execution.node_name = "n";
  services_.active = {execution, execution};
  services_.configuration = {{{"s1", "s1", "127.0.0.1:1", true, true, "3", "alive", 0},
                              {"s2", "(unknown)", "[::1]:2", false, false, "unknown", "", {}}},
                             99,
                             "s1",
                             "why"};
  const auto active = ask<std::vector<model::Execution>>(
      [&](Client& c, auto d) { c.active_executions(address_, seconds(5), d); });
  ASSERT_TRUE(active);
  ASSERT_EQ(active->size(), 2U);
  EXPECT_EQ(active->back().id(), execution.id());
  const auto configuration =
      ask<RaftConfiguration>([&](Client& c, auto d) { c.raft_configuration(address_, d); });
  ASSERT_TRUE(configuration);
  EXPECT_EQ(configuration->index, 99U);
  ASSERT_EQ(configuration->servers.size(), 2U);
  EXPECT_EQ(configuration->servers[1].address, "[::1]:2");
  EXPECT_TRUE(configuration->servers[0].is_leader);
  EXPECT_FALSE(configuration->servers[1].is_voter);
  EXPECT_EQ(configuration->servers[0].member_status, "alive");
  EXPECT_EQ(configuration->servers[0].lag_entries, std::optional<std::uint64_t>(0));
  EXPECT_FALSE(configuration->servers[1].lag_entries.has_value());
  EXPECT_EQ(configuration->answered_by, "s1");
  EXPECT_EQ(configuration->why_no_leader, "why");
}

TEST_F(Rpc, a_name_that_is_no_ascii_is_no_trouble) {
  start_client({"knöten\n", false, {}});
  EXPECT_TRUE(ask([&](Client& c, OnDone d) { c.set_paused(address_, true, d); }));
}

// ---- AgentRun

struct Seen {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<model::Execution> messages;
  std::vector<Result<void>> ends;

  Client::RunHandlers handlers() {
    return {[this](model::Execution execution) {
              const std::lock_guard lock(mutex);
              messages.push_back(std::move(execution));
              changed.notify_all();
            },
            [this](Result<void> end) {
              const std::lock_guard lock(mutex);
              ends.push_back(std::move(end));
              changed.notify_all();
            }};
  }
  bool wait(const std::function<bool()>& holds) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, kPatience, holds);
  }
  bool wait_for_ends(std::size_t count) {
    return wait([&] { return ends.size() >= count; });
  }
};

class RpcRun : public test::RpcTest {
 protected:
  void order(RunRequest request) {
    near_.run(
        [&] { runs_.push_back(client_->run(address_, std::move(request), seen_.handlers())); });
  }
  Seen seen_;
};

RunRequest make_run(int number) {
  RunRequest request;
  request.job = make_job("j" + std::to_string(number));
  request.execution.job_name = request.job.name;
  request.execution.group = number;
  request.launch = Launch{7, 8, Instant::from_unix(1'700'000'000, 9), 10};
  return request;
}

TEST_F(RpcRun, carries_the_order_there_and_messages_back) {
  RunRequest got;
  services_.on_run = [&](RunRequest request, std::shared_ptr<RunStream> stream) {
    got = request;
    for (const char* output : {"", "a", "ab"}) {
      request.execution.output = output;
      stream->send(request.execution);
    }
    request.execution.success = true;
    stream->send(request.execution);
    EXPECT_TRUE(stream->is_open());
    stream->finish({});
    stream->send(request.execution);
  };
  order(make_run(3));
  ASSERT_TRUE(seen_.wait_for_ends(1));
  EXPECT_TRUE(seen_.ends[0]) << seen_.ends[0].error().message;
  ASSERT_EQ(seen_.messages.size(), 4U);
  EXPECT_EQ(seen_.messages[2].output, "ab");
  EXPECT_TRUE(seen_.messages[3].success);
  EXPECT_EQ(got.job.name, "j3");
  EXPECT_EQ(got.job.executor, "shell");
  EXPECT_EQ(got.execution.group, 3);
  ASSERT_TRUE(got.launch.has_value());
  EXPECT_EQ(got.launch->uid, 7U);
  EXPECT_EQ(got.launch->fence, 8U);
  EXPECT_EQ(got.launch->scheduled_at, Instant::from_unix(1'700'000'000, 9));
  EXPECT_EQ(got.launch->cluster_id, 10U);
}

TEST_F(RpcRun, ends_with_the_error_of_the_node) {
  services_.on_run = [](const RunRequest& request, const std::shared_ptr<RunStream>& stream) {
    stream->send(request.execution);
    stream->finish(fail(ErrorCode::Internal, "grpc_agent: No executor defined, nothing to do"));
  };
  order(make_run(1));
  ASSERT_TRUE(seen_.wait_for_ends(1));
  ASSERT_FALSE(seen_.ends[0]);
  EXPECT_EQ(seen_.ends[0].error().message, "grpc_agent: No executor defined, nothing to do");
  EXPECT_EQ(seen_.ends[0].error().code, ErrorCode::Internal);
}

TEST_F(RpcRun, a_refusal_before_the_start_may_be_ordered_again) {
  for (const ErrorCode code : {ErrorCode::Unavailable, ErrorCode::Overloaded}) {
    services_.on_run = [code](const RunRequest&, const std::shared_ptr<RunStream>& stream) {
      stream->finish(fail(code, "going down"));
    };
    order(make_run(1));
  }
  ASSERT_TRUE(seen_.wait_for_ends(2));
  for (const auto& end : seen_.ends) {
    EXPECT_EQ(end.error().code, ErrorCode::Unavailable);
    EXPECT_EQ(end.error().message, "going down");
  }
}

TEST_F(RpcRun, a_stream_that_is_dropped_ends_with_an_error) {
  services_.on_run = [](const RunRequest&, const std::shared_ptr<RunStream>&) {};
  order(make_run(1));
  ASSERT_TRUE(seen_.wait_for_ends(1));
  EXPECT_FALSE(seen_.ends[0]);
}

TEST_F(RpcRun, a_thousand_streams_at_once) {
  constexpr std::size_t kRuns = 1'000;
  std::vector<std::shared_ptr<RunStream>> open;
  std::promise<void> all_there;
  services_.on_run = [&](const RunRequest& request, std::shared_ptr<RunStream> stream) {
    stream->send(request.execution);
    open.push_back(std::move(stream));
    if (open.size() == kRuns) all_there.set_value();
  };
  near_.run([&] {
    for (std::size_t i = 0; i < kRuns; ++i)
      runs_.push_back(client_->run(address_, make_run(static_cast<int>(i)), seen_.handlers()));
  });
  ASSERT_EQ(all_there.get_future().wait_for(kPatience), std::future_status::ready);
  ASSERT_TRUE(seen_.wait([&] { return seen_.messages.size() == kRuns; }));
  EXPECT_TRUE(seen_.ends.empty());
  far_.run([&] {
    for (const auto& stream : open) {
      stream->send({});
      stream->finish({});
    }
  });
  ASSERT_TRUE(seen_.wait_for_ends(kRuns));
  EXPECT_EQ(seen_.messages.size(), 2 * kRuns);
  for (const auto& end : seen_.ends) EXPECT_TRUE(end);
}

TEST_F(RpcRun, newer_messages_replace_those_that_wait) {
  constexpr int kMessages = 5'000;
  services_.on_run = [&](RunRequest request, const std::shared_ptr<RunStream>& stream) {
    request.execution.output = std::string(10'000, 'x');
    for (int i = 1; i <= kMessages; ++i) {
      request.execution.attempt = static_cast<std::uint32_t>(i);
      stream->send(request.execution);
    }
    stream->finish({});
  };
  order(make_run(1));
  ASSERT_TRUE(seen_.wait_for_ends(1));
  EXPECT_TRUE(seen_.ends[0]);
  EXPECT_EQ(seen_.messages.front().attempt, 1U);
  EXPECT_EQ(seen_.messages.back().attempt, static_cast<std::uint32_t>(kMessages));
  EXPECT_LT(seen_.messages.size(), static_cast<std::size_t>(kMessages));
}

TEST_F(RpcRun, the_node_learns_that_nobody_listens) {
  std::promise<std::shared_ptr<RunStream>> there;
  services_.on_run = [&](const RunRequest&, std::shared_ptr<RunStream> stream) {
    there.set_value(std::move(stream));
  };
  order(make_run(1));
  const auto stream = there.get_future().get();
  EXPECT_TRUE(stream->is_open());
  near_.run([&] { runs_.clear(); });
  const Duration until = system_clock().steady() + kPatience;
  while (stream->is_open() && system_clock().steady() < until) far_.run([] {});
  EXPECT_FALSE(stream->is_open());
  far_.run([&] { stream->send({}); });
  EXPECT_TRUE(seen_.ends.empty());
}

}  // namespace
}  // namespace dkron::rpc
