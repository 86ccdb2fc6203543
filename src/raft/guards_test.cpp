// The guards over a raft_io of functions that only remember how they were called.
#include "raft/guards.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace dkron::raft {
namespace {

// libraft's callbacks are plain functions, so the fake's state is static, and fresh for each test.
struct Fake {
  std::uint64_t now_ms = 5000;
  struct raft_io_send* sent = nullptr;
  raft_io_send_cb sent_callback = nullptr;
  int sends = 0;
  int completions = 0;
  int received = 0;
  raft_io_recv_cb receive = nullptr;
  raft_term stored_term = 0;
  std::vector<std::pair<raft_id, int>> servers;  // Of the configuration that load() gives.
};
Fake fake;

int fake_load(struct raft_io*, raft_term* term, raft_id* voted_for, struct raft_snapshot** snapshot,
              raft_index* start_index, struct raft_entry** entries, std::size_t* n_entries) {
  struct raft_configuration configuration;
  raft_configuration_init(&configuration);
  for (const auto& [id, role] : fake.servers) {
    const std::string address = "n" + std::to_string(id) + "@h:1";
    EXPECT_EQ(raft_configuration_add(&configuration, id, address.c_str(), role), 0);
  }
  *entries = static_cast<struct raft_entry*>(raft_malloc(sizeof(struct raft_entry)));
  **entries = {};
  (*entries)->type = RAFT_CHANGE;
  EXPECT_EQ(raft_configuration_encode(&configuration, &(*entries)->buf), 0);
  (*entries)->batch = (*entries)->buf.base;
  raft_configuration_close(&configuration);
  *term = 7;
  *voted_for = 1;
  *snapshot = nullptr;
  *start_index = 1;
  *n_entries = 1;
  return 0;
}

class GuardsTest : public testing::Test {
 protected:
  GuardsTest() {
    fake = {};
    raft_.id = 1;
    io_.data = &raft_;
    io_.load = fake_load;
    io_.set_term = [](struct raft_io*, raft_term term) {
      fake.stored_term = term;
      return 0;
    };
    io_.time = [](struct raft_io*) { return static_cast<raft_time>(fake.now_ms); };
    io_.send = [](struct raft_io*, struct raft_io_send* request, const struct raft_message*,
                  raft_io_send_cb cb) {
      ++fake.sends;
      fake.sent = request;
      fake.sent_callback = cb;
      return 0;
    };
    io_.start = [](struct raft_io*, unsigned, raft_io_tick_cb, raft_io_recv_cb receive) {
      fake.receive = receive;
      return 0;
    };
  }

  void install(std::uint64_t acknowledged_index) {
    guards_ = std::make_unique<Guards>(
        acknowledged_index,
        Guards::Hooks{[this](const Guards::Loaded& loaded) { loaded_ = loaded.n_entries; },
                      [](std::uint64_t, int) {}, [](std::uint64_t) {},
                      [this](const struct raft_message&) { return may_install_; }});
    guards_->install(raft_, io_);
  }

  int load() {
    const int status =
        io_.load(&io_, &term_, &voted_for_, &snapshot_, &start_index_, &entries_, &n_entries_);
    if (status == 0) {
      raft_free(entries_->batch);
      raft_free(entries_);
    }
    return status;
  }

  int send_snapshot(raft_id peer) {
    struct raft_message message = {};
    message.type = RAFT_INSTALL_SNAPSHOT;
    message.server_id = peer;
    const auto on_sent = [](struct raft_io_send*, int) { ++fake.completions; };
    return io_.send(&io_, &request_, &message, on_sent);
  }

  struct raft raft_ = {};
  struct raft_io io_ = {};
  struct raft_io_send request_ = {};
  std::unique_ptr<Guards> guards_;
  std::size_t loaded_ = 0;
  bool may_install_ = true;
  raft_term term_ = 0;
  raft_id voted_for_ = 0;
  struct raft_snapshot* snapshot_ = nullptr;
  raft_index start_index_ = 0;
  struct raft_entry* entries_ = nullptr;
  std::size_t n_entries_ = 0;
};

TEST_F(GuardsTest, only_a_sole_voter_gets_a_new_term) {
  install(0);
  fake.servers = {{1, RAFT_VOTER}, {2, RAFT_STANDBY}};
  ASSERT_EQ(load(), 0);
  EXPECT_EQ(fake.stored_term, 8u);
  EXPECT_EQ(term_, 8u);
  EXPECT_EQ(voted_for_, 0u);
  EXPECT_EQ(loaded_, 1u);
  for (const auto& servers :
       {std::vector<std::pair<raft_id, int>>{{1, RAFT_VOTER}, {2, RAFT_VOTER}},
        {{2, RAFT_VOTER}},
        {{1, RAFT_STANDBY}, {2, RAFT_VOTER}}}) {
    fake.stored_term = 0;
    fake.servers = servers;
    ASSERT_EQ(load(), 0);
    EXPECT_EQ(fake.stored_term, 0u);
    EXPECT_EQ(term_, 7u);
  }
}

TEST_F(GuardsTest, a_log_that_is_too_short_is_refused_before_the_term_moves) {
  install(5);
  fake.servers = {{1, RAFT_VOTER}};
  EXPECT_EQ(load(), RAFT_CORRUPT);
  ASSERT_TRUE(guards_->tripped());
  EXPECT_NE(guards_->tripped()->message.find("entries 2 to 5 are lost"), std::string::npos);
  EXPECT_EQ(fake.stored_term, 0u);
  EXPECT_EQ(loaded_, 0u);
}

TEST_F(GuardsTest, a_snapshot_goes_to_one_server_once_at_a_time_and_once_a_second) {
  install(0);
  EXPECT_EQ(send_snapshot(2), 0);
  EXPECT_EQ(send_snapshot(2), RAFT_NOCONNECTION);
  struct raft_io_send* first = fake.sent;
  const raft_io_send_cb first_callback = fake.sent_callback;
  EXPECT_EQ(send_snapshot(3), 0) << "another server is another matter";
  fake.sent_callback(fake.sent, 0);
  first_callback(first, 0);
  EXPECT_EQ(fake.completions, 2);
  EXPECT_EQ(send_snapshot(2), RAFT_NOCONNECTION) << "within the same second";
  fake.now_ms += Guards::kInstallSnapshotIntervalMs;
  EXPECT_EQ(send_snapshot(2), 0);
  fake.sent_callback(fake.sent, 0);
  EXPECT_EQ(fake.sends, 3);
  EXPECT_EQ(guards_->braked_installs(), 2u);
}

TEST_F(GuardsTest, a_snapshot_that_arrives_during_an_own_one_is_dropped) {
  install(0);
  const auto receive = [](struct raft_io*, struct raft_message*) { ++fake.received; };
  ASSERT_EQ(io_.start(&io_, 100, nullptr, receive), 0);
  struct raft_message message = {};
  message.server_address = "n2@h:1";
  message.type = RAFT_INSTALL_SNAPSHOT;
  guards_->set_snapshotting(true);
  message.install_snapshot.data.base = raft_malloc(8);
  fake.receive(&io_, &message);
  EXPECT_EQ(fake.received, 0);
  EXPECT_EQ(guards_->dropped_installs(), 1u);
  struct raft_message other = {};
  other.type = RAFT_APPEND_ENTRIES;
  fake.receive(&io_, &other);
  EXPECT_EQ(fake.received, 1);
  guards_->set_snapshotting(false);
  message.install_snapshot.data.base = nullptr;
  fake.receive(&io_, &message);
  EXPECT_EQ(fake.received, 2);
  may_install_ = false;
  message.install_snapshot.data.base = raft_malloc(8);
  fake.receive(&io_, &message);
  EXPECT_EQ(fake.received, 2);
  EXPECT_EQ(guards_->dropped_installs(), 2u);
}

}  // namespace
}  // namespace dkron::raft
