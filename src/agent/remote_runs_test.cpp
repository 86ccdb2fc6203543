#include "agent/remote_runs.h"

#include "agent/test_support.h"

namespace dkron::agent {
namespace {

using namespace testing_support;

class RemoteRunsTest : public testing::Test {
 protected:
  struct Report {
    std::uint64_t uid = 0;
    model::Execution execution;
  };
  RemoteRunsTest() {
    peers_.apply(member("n1"));
    model::Job job;
    job.uid = 5;
    job.name = "backup";
    job.executor = "shell";
    job_ = std::make_shared<const model::Job>(job);
  }
  state::AttemptOpened attempt(std::int64_t group = 100, const std::string& node = "n1") {
    return {job_, group, node, 1, 9, Instant()};
  }
  model::Execution told(Instant started_at, bool is_over = false) {
    model::Execution execution;
    execution.started_at = started_at;
    if (is_over) {
      execution.finished_at = started_at + seconds(1);
      execution.success = true;
      execution.output = "done";
    }
    return execution;
  }
  FakeClient::Run& last_run() { return *client_.runs.back(); }
  void commit(std::int64_t group = 100) {
    model::Execution execution;
    execution.node_name = "n1";
    execution.group = group;
    execution.attempt = 1;
    runs_.on_change(state::AttemptFinished{5, execution, true, false});
  }

  ManualClock clock_;
  ManualLoop loop_{clock_};
  PeerTable peers_{clock_, "global"};
  FakeClient client_;
  std::shared_ptr<const model::Job> job_;
  std::vector<Report> started_;
  std::vector<Report> results_;
  int rooms_ = 0;
  RemoteRuns runs_{{loop_, clock_, peers_, client_, [] { return std::uint64_t{7}; },
                    [this](std::uint64_t uid, const model::Execution& e) {
                      started_.push_back({uid, e});
                    },
                    [this](std::uint64_t uid, model::Execution e) {
                      results_.push_back({uid, std::move(e)});
                    },
                    [this] { ++rooms_; }}};
};

TEST_F(RemoteRunsTest, orders_a_run_once_and_forgets_it_when_its_end_is_committed) {
  runs_.dispatch(attempt());
  runs_.dispatch(attempt());
  ASSERT_EQ(client_.runs.size(), 1U);
  EXPECT_EQ(last_run().address, "n1:6868");
  EXPECT_EQ(last_run().request.launch->uid, 5U);
  EXPECT_EQ(last_run().request.launch->fence, 9U);
  EXPECT_EQ(last_run().request.launch->cluster_id, 7U);
  EXPECT_EQ(runs_.waiting(), 1U);
  last_run().handlers.on_message(told(clock_.wall()));
  EXPECT_EQ(runs_.waiting(), 0U);
  EXPECT_EQ(rooms_, 1);
  EXPECT_EQ(runs_.running().size(), 1U);
  commit();
  EXPECT_EQ(runs_.size(), 0U);
  EXPECT_FALSE(last_run().is_open);
  EXPECT_TRUE(results_.empty());  // The node delivered it.
}

TEST_F(RemoteRunsTest, tells_the_start_of_long_runs_only) {
  runs_.dispatch(attempt(100));
  last_run().handlers.on_message(told(clock_.wall()));
  commit(100);
  runs_.dispatch(attempt(200));
  last_run().handlers.on_message(told(clock_.wall()));
  loop_.pass(milliseconds(250));
  ASSERT_EQ(started_.size(), 1U);
  EXPECT_EQ(started_[0].execution.group, 200);
  EXPECT_EQ(started_[0].execution.node_name, "n1");
}

TEST_F(RemoteRunsTest, takes_the_last_message_of_a_node_of_the_original_as_the_result) {
  runs_.dispatch(attempt());
  last_run().handlers.on_message(told(clock_.wall()));
  last_run().handlers.on_message(told(clock_.wall(), true));
  last_run().handlers.on_end({});
  ASSERT_EQ(results_.size(), 1U);
  EXPECT_TRUE(results_[0].execution.success);
  EXPECT_EQ(results_[0].execution.output, "done");
  EXPECT_EQ(results_[0].execution.group, 100);
  loop_.pass(seconds(1));
  EXPECT_EQ(results_.size(), 2U);  // Until it is committed.
  commit();
  loop_.pass(seconds(5));
  EXPECT_EQ(results_.size(), 2U);
}

TEST_F(RemoteRunsTest, a_broken_stream_says_nothing_and_is_opened_again) {
  runs_.dispatch(attempt());
  last_run().handlers.on_message(told(clock_.wall()));
  last_run().handlers.on_end(fail(ErrorCode::OutcomeUnknown, "connection reset"));
  EXPECT_TRUE(results_.empty());
  loop_.pass(seconds(1));
  ASSERT_EQ(client_.runs.size(), 2U);
  last_run().handlers.on_message(told(clock_.wall()));
  loop_.pass(minutes(10));
  EXPECT_TRUE(results_.empty());  // It answers, so it runs.
}

TEST_F(RemoteRunsTest, never_orders_twice_from_a_node_without_a_journal) {
  peers_.apply(without_tag(member("n1"), kLedgerTag));
  runs_.dispatch(attempt());
  last_run().handlers.on_message(told(clock_.wall()));
  last_run().handlers.on_end(fail(ErrorCode::OutcomeUnknown, "connection reset"));
  loop_.pass(seconds(30));
  EXPECT_EQ(client_.runs.size(), 1U);
  EXPECT_TRUE(results_.empty());
  for (int i = 0; i < 40; ++i) loop_.pass(seconds(1));
  ASSERT_FALSE(results_.empty());
  EXPECT_TRUE(results_[0].execution.lost);
  EXPECT_NE(results_[0].execution.output.find("abruptly terminated"), std::string::npos);
}

TEST_F(RemoteRunsTest, a_node_that_is_gone_for_too_long_loses_its_runs) {
  runs_.dispatch(attempt());
  last_run().handlers.on_message(told(clock_.wall()));
  peers_.apply(failed(member("n1")));
  for (int i = 0; i < 59; ++i) loop_.pass(seconds(1));
  EXPECT_TRUE(results_.empty());
  for (int i = 0; i < 3; ++i) loop_.pass(seconds(1));
  ASSERT_FALSE(results_.empty());
  EXPECT_TRUE(results_[0].execution.lost);
  EXPECT_FALSE(results_[0].execution.started_at.is_zero());  // As the node had told.
}

TEST_F(RemoteRunsTest, a_node_that_comes_back_in_time_is_asked_again) {
  runs_.dispatch(attempt());
  last_run().handlers.on_message(told(clock_.wall()));
  peers_.apply(failed(member("n1")));
  last_run().handlers.on_end(fail(ErrorCode::OutcomeUnknown, "keepalive"));
  for (int i = 0; i < 30; ++i) loop_.pass(seconds(1));
  EXPECT_EQ(client_.runs.size(), 1U);
  peers_.apply(member("n1"));
  runs_.on_peer_change("n1");
  ASSERT_EQ(client_.runs.size(), 2U);
  last_run().handlers.on_message(told(clock_.wall()));
  for (int i = 0; i < 120; ++i) loop_.pass(seconds(1));
  EXPECT_TRUE(results_.empty());
}

TEST_F(RemoteRunsTest, a_node_that_left_in_order_may_finish_what_it_runs) {
  runs_.dispatch(attempt());
  last_run().handlers.on_message(told(clock_.wall()));
  gossip::Member left = member("n1");
  left.status = gossip::MemberStatus::Left;
  peers_.apply(left);
  for (int i = 0; i < 120; ++i) loop_.pass(seconds(1));
  EXPECT_TRUE(results_.empty());
}

TEST_F(RemoteRunsTest, what_is_never_reached_ends_as_lost) {
  runs_.dispatch(attempt());
  for (int i = 0; i < 70; ++i) {
    if (last_run().is_open) last_run().handlers.on_end(fail(ErrorCode::Unavailable, "refused"));
    loop_.pass(seconds(1));
  }
  ASSERT_FALSE(results_.empty());
  EXPECT_TRUE(results_[0].execution.lost);
  EXPECT_NE(results_[0].execution.output.find("refused"), std::string::npos);
  EXPECT_GT(client_.runs.size(), 5U);
  EXPECT_EQ(runs_.waiting(), 0U);
}

TEST_F(RemoteRunsTest, a_refusal_of_the_node_is_the_run_s_failure) {
  runs_.dispatch(attempt());
  last_run().handlers.on_end(fail(ErrorCode::Internal, "no executor"));
  ASSERT_EQ(results_.size(), 1U);
  EXPECT_FALSE(results_[0].execution.success);
  EXPECT_FALSE(results_[0].execution.lost);
  EXPECT_EQ(results_[0].execution.output, "no executor");
}

TEST_F(RemoteRunsTest, forgets_everything_when_leadership_ends) {
  runs_.dispatch(attempt(100));
  runs_.dispatch(attempt(200));
  runs_.stop();
  EXPECT_EQ(runs_.size(), 0U);
  EXPECT_EQ(runs_.waiting(), 0U);
  EXPECT_FALSE(client_.runs[0]->is_open);
  loop_.pass(minutes(5));
  EXPECT_TRUE(results_.empty());
}

TEST_F(RemoteRunsTest, the_runs_of_a_deleted_job_are_no_business_any_more) {
  runs_.dispatch(attempt(100));
  runs_.dispatch(attempt(200));
  runs_.on_change(state::JobDeleted{5, "backup"});
  EXPECT_EQ(runs_.size(), 0U);
  EXPECT_EQ(runs_.waiting(), 0U);
}

}  // namespace
}  // namespace dkron::agent
