// Queries: who answers, what is collected, and where it ends.
#include <gtest/gtest.h>

#include <algorithm>

#include "gossip/test_cluster.h"

namespace dkron::gossip {
namespace {

// What came back of one query.
struct Answers {
  std::vector<std::string> acks;
  std::map<std::string, std::string> responses;
  std::size_t response_calls = 0;
  bool is_done = false;
  Duration done_at{};

  QueryHandlers handlers(TestCluster& cluster) {
    QueryHandlers handlers;
    handlers.on_ack = [this](const std::string& from) {
      EXPECT_FALSE(is_done);
      acks.push_back(from);
    };
    handlers.on_response = [this](const std::string& from, std::string_view payload) {
      EXPECT_FALSE(is_done);
      ++response_calls;
      responses[from] = payload;
    };
    handlers.on_done = [this, &cluster] {
      EXPECT_FALSE(is_done);
      is_done = true;
      done_at = cluster.network().timers().now();
    };
    return handlers;
  }
};

class SerfQueries : public ::testing::Test {
 protected:
  void form(const std::vector<std::string>& names) {
    cluster.form(names);
    for (const std::string& name : names) {
      cluster[name].on_query = [name](const IncomingQuery& query) {
        EXPECT_TRUE(query.respond(name + ":" + query.payload));
      };
    }
  }
  // Asks and runs until it is over.
  Answers ask(const std::string& who, std::string_view name, std::string_view payload,
              const QueryOptions& options) {
    Answers answers;
    EXPECT_TRUE(cluster[who]->send_query(name, payload, options, answers.handlers(cluster)));
    EXPECT_TRUE(cluster.run_until([&] { return answers.is_done; }, minutes(1)));
    return answers;
  }

  TestCluster cluster;
};

TEST_F(SerfQueries, are_acknowledged_and_answered_by_everybody) {
  form({"a", "b", "c"});
  QueryOptions options;
  options.wants_ack = true;
  const Duration began = cluster.network().timers().now();
  Answers answers = ask("a", "uptime", "?", options);
  EXPECT_EQ(answers.done_at - began, milliseconds(3200));
  std::ranges::sort(answers.acks);
  EXPECT_EQ(answers.acks, (std::vector<std::string>{"a", "b", "c"}));
  const std::map<std::string, std::string> expected{{"a", "a:?"}, {"b", "b:?"}, {"c", "c:?"}};
  EXPECT_EQ(answers.responses, expected);
  EXPECT_EQ(cluster["b"].queries.size(), 1u);
  EXPECT_EQ(cluster["b"].queries.front().from, "a");
  EXPECT_EQ(cluster["b"].queries.front().name, "uptime");
}

TEST_F(SerfQueries, need_no_acknowledgement) {
  form({"a", "b"});
  const Answers answers = ask("a", "uptime", "", {});
  EXPECT_TRUE(answers.acks.empty());
  EXPECT_EQ(answers.responses.size(), 2u);
}

TEST_F(SerfQueries, may_be_for_some_nodes_only) {
  form({"a", "b", "c"});
  QueryOptions options;
  options.wants_ack = true;
  options.filters = {NodeFilter{{"b", "c"}}, NodeFilter{{"c", "a"}}};
  const Answers answers = ask("a", "uptime", "", options);
  EXPECT_EQ(answers.acks, (std::vector<std::string>{"c"}));
  EXPECT_EQ(answers.responses.size(), 1u);
  EXPECT_TRUE(answers.responses.contains("c"));
}

TEST_F(SerfQueries, may_be_for_some_tags_only) {
  cluster.set_adjust([](Serf::Options& options) {
    if (options.name == "b") options.tags["role"] = "database-1";
    if (options.name == "c") options.tags["role"] = "web";
  });
  form({"a", "b", "c"});
  QueryOptions options;
  options.filters = {TagFilter{"role", "data.*-[0-9]$"}};
  EXPECT_EQ(ask("a", "q", "", options).responses.size(), 1u);
  options.filters = {TagFilter{"role", "^$"}};  // A missing tag is empty.
  const Answers missing = ask("a", "q", "", options);
  EXPECT_EQ(missing.responses.size(), 1u);
  EXPECT_TRUE(missing.responses.contains("a"));
  options.filters = {TagFilter{"role", "we("}};
  EXPECT_EQ(ask("a", "q", "", options).responses.size(), 0u);
}

TEST_F(SerfQueries, answers_that_come_twice_count_once) {
  form({"a", "b", "c", "d"});
  QueryOptions options;
  options.wants_ack = true;
  options.relay_factor = 2;
  const Answers answers = ask("a", "uptime", "", options);
  EXPECT_EQ(answers.acks.size(), 4u);
  EXPECT_EQ(answers.response_calls, 4u);
}

TEST_F(SerfQueries, relays_bring_answers_that_the_straight_way_loses) {
  form({"a", "b", "c", "d"});
  cluster.network().set_link_loss(cluster["b"].endpoint(), cluster["a"].endpoint(), 1);
  QueryOptions options;
  EXPECT_FALSE(ask("a", "uptime", "", options).responses.contains("b"));
  options.relay_factor = 3;
  EXPECT_TRUE(ask("a", "uptime", "", options).responses.contains("b"));
}

TEST_F(SerfQueries, end_early_when_enough_answered) {
  form({"a", "b", "c"});
  QueryOptions options;
  options.enough_responses = 3;
  const Duration began = cluster.network().timers().now();
  const Answers answers = ask("a", "uptime", "", options);
  EXPECT_EQ(answers.responses.size(), 3u);
  EXPECT_LT(answers.done_at - began, seconds(3));
}

TEST_F(SerfQueries, end_at_their_time) {
  form({"a", "b"});
  cluster["b"].on_query = {};
  QueryOptions options;
  options.timeout = seconds(1);
  const Duration began = cluster.network().timers().now();
  const Answers answers = ask("a", "uptime", "", options);
  EXPECT_EQ(answers.done_at - began, seconds(1));
  ASSERT_EQ(cluster["b"].queries.size(), 1u);
  cluster.run(seconds(1));
  const auto late = cluster["b"].queries.front().respond("late");
  EXPECT_EQ(late.error().code, ErrorCode::Timeout);
}

TEST_F(SerfQueries, are_answered_once) {
  form({"a", "b"});
  cluster["b"].on_query = [](const IncomingQuery& query) {
    EXPECT_EQ(query.respond(std::string(2000, 'x')).error().code, ErrorCode::TooLarge);
    EXPECT_TRUE(query.respond("fits"));
    EXPECT_EQ(query.respond("again").error().code, ErrorCode::Conflict);
  };
  EXPECT_EQ(ask("a", "uptime", "", {}).responses.at("b"), "fits");
}

TEST_F(SerfQueries, cannot_be_answered_after_a_stop) {
  form({"a", "b"});
  cluster["b"].on_query = {};
  ask("a", "uptime", "", {});
  cluster["b"]->stop();
  EXPECT_EQ(cluster["b"].queries.front().respond("late").error().code, ErrorCode::Canceled);
}

TEST_F(SerfQueries, that_are_too_large_are_refused) {
  form({"a"});
  const auto sent = cluster["a"]->send_query("q", std::string(1024, 'x'), {}, {});
  EXPECT_EQ(sent.error().code, ErrorCode::TooLarge);
}

TEST_F(SerfQueries, are_limited_in_number) {
  form({"a"});
  QueryOptions options;
  options.timeout = seconds(1);
  for (std::size_t i = 0; i < OpenQueries::kMaxOpen; ++i) {
    ASSERT_TRUE(cluster["a"]->send_query("q", "", options, {}));
  }
  EXPECT_EQ(cluster["a"]->send_query("q", "", options, {}).error().code, ErrorCode::Overloaded);
  cluster.run(seconds(2));
  EXPECT_TRUE(cluster["a"]->send_query("q", "", options, {}));
}

TEST_F(SerfQueries, find_everybody_by_ping_without_the_application) {
  form({"a", "b", "c"});
  QueryOptions options;
  options.wants_ack = true;
  const Answers answers = ask("a", "_serf_ping", "", options);
  EXPECT_EQ(answers.acks.size(), 3u);
  EXPECT_EQ(answers.responses.size(), 0u);
  EXPECT_EQ(cluster["b"].queries.size(), 0u);
}

TEST_F(SerfQueries, of_serf_that_are_unknown_are_ignored) {
  form({"a", "b"});
  EXPECT_EQ(ask("a", "_serf_new", "", {}).responses.size(), 0u);
  EXPECT_EQ(cluster["b"].queries.size(), 0u);
}

TEST_F(SerfQueries, tell_where_a_name_is_known_to_be) {
  form({"a", "b", "c"});
  const Answers answers = ask("a", "_serf_conflict", "c", {});
  EXPECT_EQ(answers.responses.size(), 2u);  // None of c, a party to it.
  const auto told = decode_conflict_response(answers.responses.at("b")).value().value();
  EXPECT_EQ(told.name, "c");
  EXPECT_EQ((Endpoint{told.ip, told.port}), cluster["c"].endpoint());
  EXPECT_EQ(told.status, 1);
  const Answers unknown = ask("a", "_serf_conflict", "nobody", {});
  EXPECT_EQ(unknown.responses.size(), 3u);
  EXPECT_EQ(unknown.responses.at("b"), "\x06\xc0");
}

TEST_F(SerfQueries, are_passed_on_and_answered_once_each) {
  form({"a", "b"});
  Query query;
  query.time = 30;
  query.id = 7;
  query.ip = cluster["b"].endpoint().ip;
  query.port = cluster["b"].endpoint().port;
  query.name = "q";
  query.timeout = seconds(5);
  const auto inject = [&] {
    cluster.network().inject(cluster["a"].endpoint(), test_user_packet(encode(query)));
  };
  inject();
  inject();
  query.id = 8;  // Another of the same time.
  query.flags = Query::kNoBroadcast;
  inject();
  cluster.run(seconds(5));
  EXPECT_EQ(cluster["a"].queries.size(), 2u);
  EXPECT_EQ(cluster["b"].queries.size(), 1u);  // The second was not to be passed on.
}

TEST_F(SerfQueries, with_absurd_times_are_survived) {
  form({"a"});
  for (const Duration timeout : {Duration::min(), Duration::max(), Duration{-1}}) {
    Query query;
    query.time = cluster["a"]->clocks().query + 1;
    query.name = "q";
    query.timeout = timeout;
    query.filters = {};
    cluster.network().inject(cluster["a"].endpoint(), test_user_packet(encode(query)));
  }
  Query broken;
  broken.time = cluster["a"]->clocks().query + 1;
  broken.name = "q";
  broken.filters = {""};  // Crashes some peers.
  cluster.network().inject(cluster["a"].endpoint(), test_user_packet(encode(broken)));
  cluster.run(seconds(1));
  EXPECT_EQ(cluster["a"].queries.size(), 3u);
}

}  // namespace
}  // namespace dkron::gossip
