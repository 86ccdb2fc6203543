// The machine over a store on disk: giving a checkpoint to another server, and taking one.
#include <gtest/gtest.h>

#include "base/test_directory.h"
#include "state/commands.h"
#include "state/machine.h"
#include "state/test_support.h"

namespace dkron::state {
namespace {

using dkron::testing_support::TemporaryDirectory;

struct Replica {
  explicit Replica(const Path& directory) {
    auto opened = store::Store::open(directory);
    if (!opened) std::abort();
    store = std::move(*opened);
    auto made = Machine::open(*store, [this](Changes changes) { replaced += changes.size(); });
    if (!made) std::abort();
    machine = std::move(*made);
  }

  void pause(bool paused) {
    store::SetPauseCommand command;
    command.set_paused(paused);
    const raft::Command c = make_command(Kind::SetPause, command, 0);
    const raft::CommandView view{c.kind, c.version, c.request_id, c.payload};
    ASSERT_TRUE(machine->apply(machine->applied_index() + 1, {&view, 1}));
  }
  std::string snapshot() {
    auto manifest = machine->take_snapshot();
    if (!manifest) std::abort();
    machine->snapshot_stored(*manifest);
    return *manifest;
  }

  std::unique_ptr<store::Store> store;
  std::size_t replaced = 0;
  std::unique_ptr<Machine> machine;
};

TEST(SnapshotFiles, travel_to_another_server_which_then_has_the_same_state) {
  TemporaryDirectory directory;
  Replica leader(directory.path() / "leader");
  Replica follower(directory.path() / "follower");
  for (int i = 0; i < 5; ++i) leader.pause(i % 2 == 0);
  const std::string manifest = leader.snapshot();

  auto held = follower.machine->holds(manifest);
  ASSERT_TRUE(held);
  EXPECT_FALSE(*held);
  auto source = leader.machine->snapshot_source(manifest);
  ASSERT_TRUE(source);
  auto target = follower.machine->snapshot_target(manifest);
  ASSERT_TRUE(target);
  ASSERT_EQ(source->files.size(), target->files.size());
  bool has_tables = false;
  for (const raft::SnapshotFile& file : target->files) {
    has_tables = has_tables || file.is_immutable;
    std::filesystem::copy_file(source->directory / file.name, target->directory / file.name);
  }
  EXPECT_TRUE(has_tables);
  EXPECT_FALSE(*follower.machine->holds(manifest)) << "it is not received yet";
  ASSERT_TRUE(follower.machine->snapshot_received(manifest));
  EXPECT_TRUE(*follower.machine->holds(manifest));
  ASSERT_TRUE(follower.machine->restore(manifest));
  EXPECT_EQ(follower.machine->applied_index(), 5u);
  EXPECT_EQ(follower.replaced, 1u);
  EXPECT_TRUE(follower.machine->snapshot_source(manifest)) << "it can be given on";
}

TEST(SnapshotFiles, of_a_state_that_is_as_new_are_not_needed) {
  TemporaryDirectory directory;
  Replica leader(directory.path() / "leader");
  Replica follower(directory.path() / "follower");
  leader.pause(true);
  follower.pause(true);
  const std::string manifest = leader.snapshot();
  EXPECT_TRUE(*follower.machine->holds(manifest));
  ASSERT_TRUE(follower.machine->restore(manifest));
  EXPECT_EQ(follower.machine->snapshot_source(manifest).error().code, ErrorCode::NotFound);
  // As if the process were killed now.
  follower.machine.reset();
  follower.store.reset();
  Replica again(directory.path() / "follower");
  EXPECT_EQ(again.machine->applied_index(), 1u);
}

TEST(SnapshotFiles, that_are_being_sent_stay_until_nobody_holds_them) {
  TemporaryDirectory directory;
  Replica leader(directory.path() / "leader");
  leader.pause(true);
  const std::string first = leader.snapshot();
  auto source = leader.machine->snapshot_source(first);
  ASSERT_TRUE(source);
  for (int i = 0; i < 3; ++i) {
    leader.pause(false);
    leader.snapshot();
  }
  EXPECT_TRUE(std::filesystem::exists(source->directory));
  source->hold.reset();
  leader.pause(true);
  leader.snapshot();
  EXPECT_FALSE(std::filesystem::exists(source->directory));
  EXPECT_FALSE(leader.machine->snapshot_source(first));
}

TEST(SnapshotFiles, of_a_manifest_with_odd_names_are_neither_given_nor_taken) {
  TemporaryDirectory directory;
  Replica server(directory.path() / "server");
  store::SnapshotManifest manifest;
  manifest.set_format(1);
  manifest.set_applied_index(50);
  manifest.set_checkpoint("50");
  manifest.add_files()->set_name("../../etc/passwd");
  const std::string bytes = manifest.SerializeAsString();
  EXPECT_EQ(server.machine->holds(bytes).error().code, ErrorCode::Corrupt);
  EXPECT_EQ(server.machine->snapshot_source(bytes).error().code, ErrorCode::Corrupt);
  EXPECT_EQ(server.machine->snapshot_target(bytes).error().code, ErrorCode::Corrupt);
  EXPECT_EQ(server.machine->snapshot_received(bytes).error().code, ErrorCode::Corrupt);
}

TEST(SnapshotFiles, of_an_earlier_fetch_are_kept_for_the_next_one) {
  TemporaryDirectory directory;
  auto store = store::Store::open(directory.path() / "store");
  ASSERT_TRUE(store);
  for (const char* name : {"9", "10", "11"}) {
    auto incoming = (*store)->begin_incoming(name);
    ASSERT_TRUE(incoming);
    ASSERT_TRUE(write_file_durably(incoming->directory / "000012.sst", name));
  }
  auto incoming = (*store)->begin_incoming("12");
  ASSERT_TRUE(incoming);
  const Path kept = incoming->directory.parent_path() / "11";
  EXPECT_EQ(std::count(incoming->donors.begin(), incoming->donors.end(), kept), 1);
  EXPECT_FALSE(std::filesystem::exists(incoming->directory.parent_path() / "9"));
  EXPECT_FALSE(std::filesystem::exists(incoming->directory.parent_path() / "10"));
  ASSERT_TRUE((*store)->finish_incoming("12"));
  EXPECT_FALSE(std::filesystem::exists(kept));
  EXPECT_EQ((*store)->checkpoints(), std::vector<std::string>{"12"});
}

}  // namespace
}  // namespace dkron::state
