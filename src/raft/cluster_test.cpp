// Groups of servers in one process: how they form, change and lose members.
#include <gtest/gtest.h>

#include <algorithm>

#include "raft/test_cluster.h"

namespace dkron::raft {
namespace {

using testing::Cluster;
using testing::TemporaryDirectory;
using testing::TestNode;

std::string why(const Result<void>& result) {
  return result ? "ok" : result.error().message;
}

TEST(Outside, a_pristine_node_waits_and_says_so) {
  TemporaryDirectory directory;
  TestNode server(directory.path());
  server.options.bootstrap = false;
  ASSERT_TRUE(server.open());
  EXPECT_EQ(server.node->status().role, Status::Role::Outside);
  EXPECT_EQ(server.node->identity().cluster_id, 0u);
  EXPECT_EQ(server.node->identity().node_name, "node1");
  const auto proposed = server.propose("x");
  EXPECT_EQ(proposed.error().code, ErrorCode::Unavailable);
  EXPECT_NE(proposed.error().message.find("part of no cluster"), std::string::npos);
  const auto barrier = [](Node& n, Node::OnDone done) { n.barrier(std::move(done)); };
  EXPECT_EQ(server.ask(barrier).error().code, ErrorCode::Unavailable);
  EXPECT_EQ(server.snapshot().error().code, ErrorCode::Unavailable);
  const auto promote = [](Node& n, Node::OnDone done) { n.promote("node1", std::move(done)); };
  EXPECT_EQ(server.ask(promote).error().code, ErrorCode::Unavailable);
  server.node->close();
  ASSERT_TRUE(server.open()) << "nothing was written";
  EXPECT_EQ(server.node->status().role, Status::Role::Outside);
}

const auto kFound = [](Node& n, Node::OnDone done) { n.found(std::move(done)); };

TEST(Outside, founding_makes_a_group_of_one_for_good) {
  TemporaryDirectory directory;
  TestNode server(directory.path());
  server.options.bootstrap = false;
  int changes = 0;
  server.options.on_change = [&] { ++changes; };
  ASSERT_TRUE(server.open());
  const auto founded = server.ask(kFound);
  ASSERT_TRUE(founded) << why(founded);
  const Identity identity = server.node->identity();
  EXPECT_NE(identity.cluster_id, 0u);
  EXPECT_TRUE(server.is_leader());
  EXPECT_EQ(server.node->status().configuration.size(), 1u);
  EXPECT_GT(server.node->status().configuration_index, 0u);
  EXPECT_TRUE(server.propose("one"));
  EXPECT_GE(changes, 1);
  EXPECT_EQ(server.ask(kFound).error().code, ErrorCode::Conflict);
  const auto adopt = [&](Node& n, Node::OnDone done) {
    n.adopt(identity.cluster_id + 1, 0, std::move(done));
  };
  EXPECT_EQ(server.ask(adopt).error().code, ErrorCode::Conflict);
  server.node->close();
  ASSERT_TRUE(server.open());
  EXPECT_EQ(server.node->identity().cluster_id, identity.cluster_id);
  EXPECT_TRUE(server.is_leader());
}

TEST(Outside, an_adopted_node_waits_for_a_leader_also_after_a_restart) {
  TemporaryDirectory directory;
  TestNode server(directory.path());
  server.options.bootstrap = false;
  ASSERT_TRUE(server.open());
  const auto adopt = [&](Node& n, Node::OnDone done) { n.adopt(77, 5, std::move(done)); };
  ASSERT_TRUE(server.ask(adopt));
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(server.node->identity().cluster_id, 77u);
    EXPECT_EQ(server.node->identity().recovery_epoch, 5u);
    EXPECT_EQ(server.node->status().role, Status::Role::Follower);
    EXPECT_TRUE(server.node->status().configuration.empty());
    EXPECT_EQ(server.ask(kFound).error().code, ErrorCode::Conflict);
    EXPECT_TRUE(server.ask(adopt)) << "the same cluster again";
    server.node->close();
    server.options.bootstrap = true;  // It never founds by itself.
    ASSERT_TRUE(server.open());
  }
}

// What a crash can leave of a founding, from the identity alone to the whole first log.
TEST(Outside, a_founding_that_was_interrupted_is_completed_by_the_next_start) {
  TemporaryDirectory directory;
  TestNode whole(directory.path() / "whole");
  whole.options.bootstrap = false;
  ASSERT_TRUE(whole.open());
  ASSERT_TRUE(whole.ask(kFound));
  whole.node.reset();
  const auto identity = read_file(directory.path() / "whole" / "identity.json", 4096);
  ASSERT_TRUE(identity);
  const std::string unfinished =
      identity->substr(0, identity->rfind('}')) + ",\"is_founding\":true}";
  const std::vector<std::vector<std::string>> stages = {
      {}, {"metadata1"}, {"metadata1", "0000000000000001-0000000000000001"}};
  for (const auto& files : stages) {
    const Path path = directory.path() / std::to_string(files.size());
    ASSERT_TRUE(make_directories(path / "raft"));
    ASSERT_TRUE(write_file_durably(path / "identity.json", unfinished));
    for (const std::string& file : files) {
      std::filesystem::copy(directory.path() / "whole" / "raft" / file, path / "raft" / file);
    }
    TestNode server(path);
    server.options.bootstrap = false;
    const auto opened = server.open();
    ASSERT_TRUE(opened) << why(opened);
    EXPECT_TRUE(server.is_leader());
    EXPECT_TRUE(server.propose("one"));
    EXPECT_EQ(read_file(path / "identity.json", 4096)->find("is_founding"), std::string::npos);
  }
}

TEST(Outside, a_group_that_was_at_work_is_never_founded_again) {
  TemporaryDirectory directory;
  TestNode server(directory.path());
  ASSERT_TRUE(server.open());
  ASSERT_TRUE(server.propose("one"));
  server.node->close();
  const Path identity = directory.path() / "identity.json";
  const auto text = read_file(identity, 4096);
  ASSERT_TRUE(
      write_file_durably(identity, text->substr(0, text->rfind('}')) + ",\"is_founding\":true}"));
  EXPECT_EQ(server.open().error().code, ErrorCode::Corrupt) << "there is a state";
  std::filesystem::remove(directory.path() / "state");
  std::filesystem::remove(directory.path() / "raft" / "acknowledged");
  EXPECT_EQ(server.open().error().code, ErrorCode::Corrupt) << "there is a log";
  ASSERT_TRUE(write_file_durably(identity, *text));
  EXPECT_TRUE(server.open());
}

TEST(Group, grows_from_one_to_three_and_survives_the_loss_of_its_leader) {
  Cluster cluster(3);
  const auto formed = cluster.form();
  ASSERT_TRUE(formed) << why(formed);
  const auto first = cluster.wait_for_leader();
  ASSERT_EQ(first, 0u);
  for (int i = 0; i < 50; ++i) {
    auto outcome = cluster.node(0).propose("a" + std::to_string(i));
    ASSERT_TRUE(outcome) << outcome.error().message;
  }
  for (std::size_t i = 0; i < 3; ++i) {
    ASSERT_TRUE(cluster.wait_for_values(i, 50));
    EXPECT_EQ(cluster.node(i).machine->values(), cluster.node(0).machine->values());
    const Status status = cluster.node(i).node->status();
    ASSERT_EQ(status.configuration.size(), 3u);
    for (const Server& server : status.configuration) EXPECT_TRUE(server.is_voter);
    EXPECT_TRUE(status.has_leader);
    EXPECT_EQ(status.followers.size(), i == 0 ? 2u : 0u);
  }
  EXPECT_EQ(cluster.node(1).propose("no").error().code, ErrorCode::Unavailable);
  EXPECT_EQ(cluster.remove(1, 2).error().code, ErrorCode::Unavailable) << "only the leader may";

  cluster.stop(0);
  const auto second = cluster.wait_for_leader();
  ASSERT_TRUE(second);
  ASSERT_NE(*second, 0u);
  ASSERT_TRUE(cluster.node(*second).propose("b"));
  ASSERT_TRUE(cluster.start(0));
  ASSERT_TRUE(cluster.wait_for_values(0, 51));
  EXPECT_EQ(cluster.node(0).machine->values(), cluster.node(*second).machine->values());
}

TEST(Group, an_added_server_replicates_and_votes_only_when_promoted) {
  Cluster cluster(2);
  ASSERT_TRUE(cluster.start(0));
  ASSERT_TRUE(cluster.start(1));
  ASSERT_TRUE(cluster.node(0).ask(kFound));
  ASSERT_TRUE(cluster.adopt(1));
  const auto unknown = cluster.promote(0, 1);
  EXPECT_EQ(unknown.error().code, ErrorCode::NotFound);
  ASSERT_TRUE(cluster.add(0, 1));
  ASSERT_TRUE(cluster.add(0, 1)) << "it is there already";
  cluster.node(1).options.address = "127.0.0.1:9";
  ASSERT_TRUE(cluster.add(0, 1)) << "the stored address is a fall-back only";
  ASSERT_TRUE(cluster.node(0).propose("one"));
  ASSERT_TRUE(cluster.wait_for_values(1, 1));
  const auto configuration = [&](std::size_t i) {
    return cluster.node(i).node->status().configuration;
  };
  ASSERT_TRUE(cluster.run_until([&] { return configuration(1).size() == 2; }));
  EXPECT_FALSE(configuration(1)[1].is_voter);
  const std::uint64_t index = cluster.node(0).node->status().configuration_index;
  ASSERT_TRUE(cluster.run_until(
      [&] { return cluster.node(0).node->status().followers.at(0).match_index >= index; }));

  ASSERT_TRUE(cluster.promote(0, 1));
  ASSERT_TRUE(cluster.promote(0, 1)) << "it votes already";
  ASSERT_TRUE(cluster.run_until([&] { return configuration(1)[1].is_voter; }));
  EXPECT_GT(cluster.node(0).node->status().configuration_index, index);
}

TEST(Group, a_server_that_is_not_there_is_not_promoted_and_holds_up_nobody) {
  Cluster cluster(3);
  for (std::size_t i = 0; i < 3; ++i) ASSERT_TRUE(cluster.start(i));
  ASSERT_TRUE(cluster.node(0).ask(kFound));
  for (std::size_t i = 1; i < 3; ++i) {
    ASSERT_TRUE(cluster.adopt(i));
    ASSERT_TRUE(cluster.add(0, i));
  }
  // Everything is replicated, so only the server's silence tells that it is gone.
  const std::uint64_t last = cluster.node(0).node->status().last_log_index;
  ASSERT_TRUE(cluster.run_until(
      [&] { return cluster.node(0).node->status().followers.at(0).match_index >= last; }));
  cluster.stop(1);
  std::optional<Result<void>> answer;
  cluster.node(0).node->promote("server1", [&](Result<void> result) { answer = result; });
  const auto promoted = cluster.promote(0, 2);
  ASSERT_TRUE(promoted) << why(promoted);
  EXPECT_FALSE(answer);
  const auto followers = cluster.node(0).node->status().followers;
  ASSERT_EQ(followers.size(), 2u);
  for (const auto& follower : followers) {
    EXPECT_EQ(follower.is_catching_up, follower.id == server_id("server1"));
  }
  ASSERT_TRUE(cluster.remove(0, 1));
  ASSERT_TRUE(cluster.run_until([&] { return answer.has_value(); }));
  EXPECT_EQ(answer->error().code, ErrorCode::NotFound);
}

TEST(Group, a_dead_server_is_removed_and_comes_back_with_an_empty_directory) {
  Cluster cluster(3);
  ASSERT_TRUE(cluster.form());
  ASSERT_TRUE(cluster.node(0).propose("one"));
  cluster.wipe(2);
  const auto removed = cluster.remove(0, 2);
  ASSERT_TRUE(removed) << why(removed);
  EXPECT_EQ(cluster.remove(0, 2).error().code, ErrorCode::NotFound);
  ASSERT_TRUE(cluster.node(0).propose("two"));
  ASSERT_TRUE(cluster.start(2));
  EXPECT_EQ(cluster.node(2).node->status().role, Status::Role::Outside);
  ASSERT_TRUE(cluster.adopt(2));
  ASSERT_TRUE(cluster.add(0, 2));
  ASSERT_TRUE(cluster.promote(0, 2));
  ASSERT_TRUE(cluster.wait_for_values(2, 2));
  EXPECT_EQ(cluster.node(2).machine->values(), cluster.node(0).machine->values());
}

TEST(Group, the_last_voter_cannot_be_removed) {
  Cluster cluster(2);
  ASSERT_TRUE(cluster.start(0));
  ASSERT_TRUE(cluster.start(1));
  ASSERT_TRUE(cluster.node(0).ask(kFound));
  ASSERT_TRUE(cluster.adopt(1));
  ASSERT_TRUE(cluster.add(0, 1));
  EXPECT_EQ(cluster.remove(0, 0).error().code, ErrorCode::Conflict);
  EXPECT_EQ(cluster.transfer(0, "server1").error().code, ErrorCode::Conflict) << "it has no vote";
  EXPECT_EQ(cluster.transfer(0, "").error().code, ErrorCode::Unavailable) << "there is no other";
  EXPECT_TRUE(cluster.remove(0, 1));
  EXPECT_TRUE(cluster.node(0).propose("alive"));
}

TEST(Group, a_leader_can_remove_itself) {
  Cluster cluster(3);
  ASSERT_TRUE(cluster.form());
  const auto removed = cluster.remove(0, 0);
  ASSERT_TRUE(removed) << why(removed);
  ASSERT_TRUE(cluster.run_until([&] { return !cluster.node(0).is_leader(); }));
  const auto leader = cluster.wait_for_leader();
  ASSERT_TRUE(leader);
  EXPECT_NE(*leader, 0u);
  EXPECT_TRUE(cluster.node(*leader).propose("without"));
  EXPECT_EQ(cluster.node(*leader).node->status().configuration.size(), 2u);
}

TEST(Group, changes_that_are_ordered_together_happen_one_after_the_other) {
  Cluster cluster(4);
  for (std::size_t i = 0; i < 4; ++i) ASSERT_TRUE(cluster.start(i));
  ASSERT_TRUE(cluster.node(0).ask(kFound));
  for (std::size_t i = 1; i < 4; ++i) ASSERT_TRUE(cluster.adopt(i));
  std::vector<int> order;
  Node& leader = *cluster.node(0).node;
  const auto expect_ok = [&](int number) {
    return [&order, number](const Result<void>& result) {
      EXPECT_TRUE(result) << number << ": " << why(result);
      order.push_back(number);
    };
  };
  for (int i = 1; i < 4; ++i) {
    const Options& options = cluster.node(static_cast<std::size_t>(i)).options;
    leader.add_server(options.node_name, options.address, expect_ok(i));
  }
  for (int i = 1; i < 4; ++i) leader.promote("server" + std::to_string(i), expect_ok(10 + i));
  ASSERT_TRUE(cluster.run_until([&] { return order.size() == 6; }));
  EXPECT_EQ((std::vector<int>{order[0], order[1], order[2]}), (std::vector<int>{1, 2, 3}));
}

TEST(Group, hands_leadership_to_the_named_voter_or_to_any) {
  Cluster cluster(3);
  ASSERT_TRUE(cluster.form());
  EXPECT_EQ(cluster.transfer(0, "server0").error().code, ErrorCode::InvalidArgument);
  EXPECT_EQ(cluster.transfer(0, "nobody").error().code, ErrorCode::NotFound);
  const auto named = cluster.transfer(0, "server2");
  ASSERT_TRUE(named) << why(named);
  EXPECT_EQ(cluster.node(0).node->status().leader_name, "server2");
  ASSERT_EQ(cluster.wait_for_leader(), 2u);
  ASSERT_TRUE(cluster.node(2).propose("one"));
  const auto any = cluster.transfer(2, "");
  ASSERT_TRUE(any) << why(any);
  const auto leader = cluster.wait_for_leader();
  ASSERT_TRUE(leader);
  EXPECT_NE(*leader, 2u);
}

TEST(Group, a_transfer_to_a_dead_server_fails_and_the_leader_leads_on) {
  Cluster cluster(3);
  ASSERT_TRUE(cluster.form());
  cluster.stop(2);
  const auto transferred = cluster.transfer(0, "server2");
  ASSERT_FALSE(transferred);
  EXPECT_EQ(transferred.error().code, ErrorCode::Unavailable) << why(transferred);
  EXPECT_TRUE(cluster.node(0).is_leader());
  EXPECT_TRUE(cluster.node(0).propose("on"));
  const auto any = cluster.transfer(0, "");
  ASSERT_TRUE(any) << "the one that is alive is chosen: " << why(any);
  EXPECT_EQ(cluster.wait_for_leader(), 1u);
}

TEST(Group, a_leader_without_majority_does_not_know_the_outcome_and_steps_down) {
  Cluster cluster(3);
  ASSERT_TRUE(cluster.form());
  ASSERT_TRUE(cluster.node(0).propose("a"));
  cluster.stop(1);
  cluster.stop(2);
  auto outcome = cluster.node(0).propose("b");
  ASSERT_FALSE(outcome);
  // Unavailable only if the leader noticed its loneliness before the proposal came.
  EXPECT_EQ(outcome.error().code, ErrorCode::OutcomeUnknown) << outcome.error().message;
  // The published status follows a turn of the loop later.
  EXPECT_TRUE(cluster.run_until([&cluster] { return !cluster.node(0).is_leader(); }));
}

TEST(Group, an_adopted_node_is_refused_by_another_cluster) {
  Cluster cluster(2);
  ASSERT_TRUE(cluster.start(0));
  ASSERT_TRUE(cluster.start(1));
  ASSERT_TRUE(cluster.node(0).ask(kFound));
  const auto adopt = [&](Node& n, Node::OnDone done) { n.adopt(4711, 0, std::move(done)); };
  ASSERT_TRUE(cluster.node(1).ask(adopt));
  ASSERT_TRUE(cluster.add(0, 1));
  std::optional<Result<void>> answer;
  cluster.node(0).node->promote("server1", [&](Result<void> result) { answer = result; });
  ASSERT_TRUE(cluster.node(0).propose("one"));
  EXPECT_FALSE(cluster.run_until([&] { return answer.has_value(); }, seconds(1)));
  EXPECT_TRUE(cluster.node(1).machine->values().empty());
  EXPECT_TRUE(cluster.node(1).node->status().configuration.empty());
  ASSERT_TRUE(cluster.remove(0, 1));
}

}  // namespace
}  // namespace dkron::raft
