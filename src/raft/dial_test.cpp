// Nodes that are connected by Options::dial: errors, late answers, new addresses, lost networks.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>

#include "raft/stall_watch.h"
#include "raft/test_cluster.h"

namespace dkron::raft {
namespace {

using testing::Cluster;
using testing::connect_to_port;
using testing::TestNetwork;

std::string why(const Result<void>& result) {
  return result ? "ok" : result.error().message;
}

TEST(Dial, a_group_forms_although_many_dials_fail) {
  TestNetwork network;
  Cluster cluster(3, &network);
  std::atomic<int> calls{0};
  for (std::size_t i = 0; i < 3; ++i) {
    auto& dial = cluster.node(i).options.dial;
    dial = [&calls, real = dial](const Server& server, auto done) {
      if (++calls % 3 != 0) return done(fail(ErrorCode::Unavailable, "no luck"));
      real(server, std::move(done));
    };
  }
  const auto formed = cluster.form();
  ASSERT_TRUE(formed) << why(formed);
  ASSERT_TRUE(cluster.node(0).propose("one"));
  for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(cluster.wait_for_values(i, 1));
}

// The dial is answered when nobody is there any more who could use the connection.
TEST(Dial, a_connection_that_comes_after_the_end_of_the_node_is_closed) {
  Cluster cluster(2);
  std::mutex mutex;
  std::vector<std::function<void(Result<UniqueFd>)>> dials;
  cluster.node(0).options.dial = [&](const Server&, std::function<void(Result<UniqueFd>)> done) {
    const std::lock_guard lock(mutex);
    dials.push_back(std::move(done));
  };
  ASSERT_TRUE(cluster.start(0));
  ASSERT_TRUE(cluster.node(0).ask([](Node& n, Node::OnDone done) { n.found(std::move(done)); }));
  ASSERT_TRUE(cluster.add(0, 1));
  ASSERT_TRUE(cluster.run_until([&] {
    const std::lock_guard lock(mutex);
    return !dials.empty();
  }));
  cluster.stop(0);
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const UniqueFd other(ends[0]);
  dials[0](UniqueFd(ends[1]));
  char byte = 0;
  EXPECT_EQ(::recv(other.get(), &byte, 1, MSG_DONTWAIT), 0) << "it is closed, not kept";
}

TEST(Dial, servers_that_all_change_their_addresses_find_each_other_again) {
  std::mutex mutex;
  std::map<std::string, std::uint16_t> ports;
  Cluster cluster(3);
  const auto publish = [&](std::size_t i) {
    const std::lock_guard lock(mutex);
    ports[cluster.node(i).options.node_name] = cluster.acceptor(i).port();
  };
  for (std::size_t i = 0; i < 3; ++i) {
    publish(i);
    cluster.node(i).options.dial = [&](const Server& server, auto done) {
      std::uint16_t port = 0;
      {
        const std::lock_guard lock(mutex);
        port = ports[server.node_name];
      }
      UniqueFd fd = connect_to_port(port);
      if (!fd.is_open()) return done(fail(ErrorCode::Unavailable, "refused"));
      done(std::move(fd));
    };
  }
  const auto formed = cluster.form();
  ASSERT_TRUE(formed) << why(formed);
  ASSERT_TRUE(cluster.node(0).propose("before"));
  for (std::size_t i = 0; i < 3; ++i) cluster.stop(i);
  for (std::size_t i = 0; i < 3; ++i) {
    cluster.move(i);
    publish(i);
    ASSERT_TRUE(cluster.start(i));
  }
  const auto leader = cluster.wait_for_leader();
  ASSERT_TRUE(leader);
  ASSERT_TRUE(cluster.node(*leader).propose("after"));
  for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(cluster.wait_for_values(i, 2));
}

TEST(Isolation, a_leader_that_reaches_nobody_steps_down_and_follows_when_it_is_back) {
  TestNetwork network;
  Cluster cluster(3, &network);
  ASSERT_TRUE(cluster.form());
  ASSERT_TRUE(cluster.node(0).propose("one"));
  const Duration before = system_clock().steady();
  network.cut("server0");
  ASSERT_TRUE(cluster.run_until([&] { return !cluster.node(0).is_leader(); }));
  // Two election timeouts are a second; the rest is for a busy machine.
  EXPECT_LT(system_clock().steady() - before, seconds(3));
  EXPECT_EQ(cluster.node(0).propose("two").error().code, ErrorCode::Unavailable);
  std::optional<std::size_t> leader;
  ASSERT_TRUE(cluster.run_until([&] {
    for (std::size_t i = 1; i < 3; ++i) {
      if (cluster.node(i).is_leader()) leader = i;
    }
    return leader.has_value();
  }));
  ASSERT_TRUE(cluster.node(*leader).propose("three"));
  network.heal("server0");
  ASSERT_TRUE(cluster.wait_for_values(0, 2));
  EXPECT_EQ(cluster.node(0).machine->values(), cluster.node(*leader).machine->values());
}

TEST(Stall, a_ping_without_an_answer_is_an_alarm_while_the_server_leads) {
  std::vector<Task> posted;
  StallWatch watch([&](Task task) { posted.push_back(std::move(task)); }, seconds(10));
  EXPECT_FALSE(watch.turn(false, seconds(1)));
  EXPECT_TRUE(posted.empty());
  EXPECT_FALSE(watch.turn(true, seconds(2)));
  ASSERT_EQ(posted.size(), 1u);
  EXPECT_FALSE(watch.turn(true, seconds(11)));
  posted[0]();
  EXPECT_FALSE(watch.turn(true, seconds(13)));
  EXPECT_EQ(posted.size(), 2u);
  EXPECT_FALSE(watch.turn(true, seconds(22)));
  EXPECT_TRUE(watch.turn(true, seconds(23)));
  EXPECT_FALSE(watch.turn(true, seconds(24)));
  EXPECT_TRUE(watch.turn(true, seconds(33))) << "again, in case that it did not help";
  EXPECT_FALSE(watch.turn(false, seconds(60)));
}

TEST(Stall, a_leader_whose_main_loop_hangs_hands_over) {
  TestNetwork network;
  Cluster cluster(3, &network);
  std::atomic<bool> is_hung{false};
  Options& options = cluster.node(0).options;
  options.stall_limit = milliseconds(500);
  options.post = [&is_hung, post = options.post](Task task) {
    if (!is_hung) post(std::move(task));
  };
  ASSERT_TRUE(cluster.form());
  ASSERT_TRUE(cluster.node(0).is_leader());
  is_hung = true;
  ASSERT_TRUE(cluster.run_until(
      [&] { return cluster.node(1).is_leader() || cluster.node(2).is_leader(); }));
  EXPECT_FALSE(cluster.node(0).is_leader());
}

}  // namespace
}  // namespace dkron::raft
