#include "state/test_support.h"
#include "state/views.h"

namespace dkron::state {
namespace {

namespace keys = store::keys;
using testing_support::Bench;
using testing_support::job_named;

TEST(Machine, a_kind_or_version_that_it_does_not_know_stops_it_and_says_upgrade) {
  Bench bench;
  bench.set_job(job_named("a"));
  const auto before = bench.store.rows();
  for (const auto& [kind, version] : std::vector<std::pair<std::uint16_t, std::uint16_t>>{
           {0, 1}, {16, 1}, {65535, 1}, {2, 0}, {2, 2}}) {
    raft::Command command;
    command.kind = kind;
    command.version = version;
    const auto outcomes = bench.try_apply({command});
    ASSERT_FALSE(outcomes);
    EXPECT_NE(outcomes.error().message.find("upgrade"), std::string::npos);
    EXPECT_EQ(bench.store.rows(), before);
  }
}

TEST(Machine, a_payload_that_cannot_be_decoded_stops_it_and_takes_the_whole_entry_back) {
  Bench bench;
  store::SetJobCommand good;
  *good.mutable_definition() = job_named("a");
  raft::Command bad = make_command(Kind::SetJob, good);
  bad.payload = "\xff\xff\xff";
  const auto before = bench.store.rows();
  const auto outcomes = bench.try_apply({make_command(Kind::SetJob, good), bad});
  ASSERT_FALSE(outcomes);
  EXPECT_EQ(outcomes.error().code, ErrorCode::Corrupt);
  EXPECT_EQ(bench.store.rows(), before);
  EXPECT_TRUE(bench.changes.empty());
  EXPECT_EQ(bench.machine->applied_index(), 0U);
  // Nothing of it waits in the batch either.
  bench.set_job(job_named("b"));
  EXPECT_EQ(bench.count("j/"), 1U);
}

TEST(Machine, commands_of_one_entry_see_each_other_and_a_refused_one_leaves_the_others) {
  Bench bench;
  store::SetJobCommand parent;
  *parent.mutable_definition() = job_named("p");
  store::SetJobCommand orphan;
  *orphan.mutable_definition() = job_named("o", "nobody");
  store::SetJobCommand child;
  *child.mutable_definition() = job_named("c", "p");
  const auto outcomes =
      bench.try_apply({make_command(Kind::SetJob, parent), make_command(Kind::SetJob, orphan),
                       make_command(Kind::SetJob, child)});
  ASSERT_TRUE(outcomes);
  EXPECT_EQ(outcomes->at(0).code, ErrorCode::Ok);
  EXPECT_EQ(outcomes->at(1).code, ErrorCode::NotFound);
  EXPECT_EQ(outcomes->at(2).code, ErrorCode::Ok);
  EXPECT_EQ(bench.count("j/"), 2U);
  EXPECT_EQ(bench.definition("c").uid(), 2U);
}

TEST(Machine, the_same_request_id_gets_the_same_answer_and_happens_once) {
  Bench bench;
  bench.set_job(job_named("a"));
  store::ManualRunCommand run;
  run.set_name("a");
  run.set_group(5);
  run.add_targets("n1");
  const auto first = bench.apply(Kind::ManualRun, run, 42);
  EXPECT_EQ(first.code, ErrorCode::Ok);
  const auto before = bench.dump();
  const auto second = bench.apply(Kind::ManualRun, run, 42);
  EXPECT_EQ(second.code, first.code);
  EXPECT_EQ(second.payload, first.payload);
  EXPECT_EQ(bench.dump(), before);
  EXPECT_TRUE(bench.changes.empty());

  // A refusal is remembered too: that the reason has gone meanwhile does not make it happen later.
  run.set_name("b");
  const auto refusal = bench.apply(Kind::ManualRun, run, 43);
  EXPECT_EQ(refusal.code, ErrorCode::NotFound);
  bench.set_job(job_named("b"));
  const auto again = bench.apply(Kind::ManualRun, run, 43);
  EXPECT_EQ(again.code, ErrorCode::NotFound);
  EXPECT_EQ(again.message, refusal.message);
}

TEST(Machine, remembers_the_last_65536_requests_and_forgets_the_oldest) {
  Bench bench;
  store::SetPauseCommand command;
  std::vector<raft::Command> commands;
  for (std::uint64_t id = 1; id <= kRememberedRequests; ++id) {
    commands.push_back(make_command(Kind::SetPause, command, id * 7919));
    if (commands.size() == 4096) {
      ASSERT_TRUE(bench.try_apply(commands));
      commands.clear();
    }
  }
  EXPECT_EQ(bench.count("r/"), kRememberedRequests);
  EXPECT_EQ(bench.store.rows().count(keys::request(7919)), 1U);
  bench.apply(Kind::SetPause, command, 1);
  EXPECT_EQ(bench.count("r/"), kRememberedRequests);
  EXPECT_EQ(bench.count("q/"), kRememberedRequests);
  EXPECT_EQ(bench.store.rows().count(keys::request(7919)), 0U);
  EXPECT_EQ(bench.store.rows().count(keys::request(2 * 7919)), 1U);
}

TEST(Machine, an_answer_that_is_too_long_is_remembered_without_it) {
  // No command answers with that much; the limit keeps the window small whatever comes.
  EXPECT_GE(kRememberedPayloadBytes, store::LaunchAnswer().ByteSizeLong() + 64);
}

TEST(Machine, comes_back_from_its_snapshot_on_this_and_on_another_store) {
  Bench bench;
  bench.set_job(job_named("a"));
  const auto manifest = bench.machine->take_snapshot();
  ASSERT_TRUE(manifest);
  const auto at_snapshot = bench.store.rows();
  const auto bytes = bench.store.read_checkpoint("1");
  ASSERT_TRUE(bytes);
  bench.set_job(job_named("b"));

  // This store is newer than the snapshot: it is kept.
  bench.restart();
  ASSERT_TRUE(bench.machine->restore(*manifest));
  EXPECT_EQ(bench.machine->applied_index(), 2U);
  EXPECT_EQ(bench.count("j/"), 2U);

  Bench other;
  ASSERT_TRUE(other.store.add_checkpoint("1", *bytes));
  ASSERT_TRUE(other.machine->restore(*manifest));
  EXPECT_EQ(other.machine->applied_index(), 1U);
  EXPECT_EQ(other.store.rows(), at_snapshot);
  EXPECT_EQ(other.changes_of<StateReplaced>().size(), 1U);
}

TEST(Machine, keeps_the_checkpoints_of_the_two_newest_snapshots) {
  Bench bench;
  for (int i = 0; i < 4; ++i) {
    bench.set_job(job_named("a"));
    const auto manifest = bench.machine->take_snapshot();
    ASSERT_TRUE(manifest);
    bench.machine->snapshot_stored(*manifest);
  }
  EXPECT_EQ(bench.store.checkpoints(), (std::vector<std::string>{"3", "4"}));
}

store::SnapshotManifest manifest_of(const std::string& checkpoint) {
  store::SnapshotManifest manifest;
  manifest.set_format(1);
  manifest.set_applied_index(50);
  manifest.set_checkpoint(checkpoint);
  auto* file = manifest.add_files();
  file->set_name(store::MemoryStore::kFileName);
  file->set_size_bytes(1);
  return manifest;
}

TEST(Machine, refuses_hostile_manifests_and_keeps_its_state) {
  Bench bench;
  bench.set_job(job_named("a"));
  bench.store.make_checkpoint("50");
  const auto before = bench.store.rows();
  std::vector<std::string> hostile = {"", "\xff\xff", std::string(1000, '\0')};
  for (const char* name :
       {"", "..", "../x", "5/0", "50.", "a", "999999999999999999999999999999999"}) {
    hostile.push_back(manifest_of(name).SerializeAsString());
  }
  auto other_format = manifest_of("50");
  other_format.set_format(2);
  hostile.push_back(other_format.SerializeAsString());
  for (const std::string& name :
       {std::string(), std::string("../../etc/passwd"), std::string("."), std::string("a/b"),
        std::string("rows\0x", 6), std::string("a b")}) {
    auto manifest = manifest_of("50");
    manifest.mutable_files(0)->set_name(name);
    hostile.push_back(manifest.SerializeAsString());
  }
  hostile.push_back(manifest_of("50").SerializeAsString());  // Another size.
  auto no_files = manifest_of("50");
  no_files.clear_files();
  hostile.push_back(no_files.SerializeAsString());
  for (const std::string& manifest : hostile) {
    const auto restored = bench.machine->restore(manifest);
    ASSERT_FALSE(restored);
    EXPECT_EQ(restored.error().code, ErrorCode::Corrupt);
    EXPECT_EQ(bench.store.rows(), before);
  }
}

TEST(Machine, a_checkpoint_that_holds_another_index_than_promised_is_refused) {
  Bench bench;
  bench.set_job(job_named("a"));
  const auto checkpoint = bench.store.make_checkpoint("50");
  ASSERT_TRUE(checkpoint);
  auto manifest = manifest_of("50");
  manifest.mutable_files(0)->set_size_bytes(checkpoint->files[0].size_bytes);
  const auto restored = bench.machine->restore(manifest.SerializeAsString());
  ASSERT_FALSE(restored);
  EXPECT_NE(restored.error().message.find("holds index 1"), std::string::npos);
}

}  // namespace
}  // namespace dkron::state
