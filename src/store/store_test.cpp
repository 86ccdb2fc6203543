// The store on disk and the one in memory under the same tests.
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <map>
#include <thread>

#include "base/random.h"
#include "store/keys.h"
#include "store/memory_store.h"
#include "store/store.h"
#include "store/test_support.h"

namespace dkron::store {
namespace {

using testing_support::TemporaryDirectory;
using Rows = std::vector<std::pair<std::string, std::string>>;

Rows scan_of(const Reader& reader, std::string_view from = "", std::string_view to = "\xff\xff") {
  Rows rows;
  EXPECT_TRUE(reader.scan(from, to, [&](std::string_view key, std::string_view value) {
    rows.emplace_back(key, value);
    return true;
  }));
  return rows;
}

std::string value_of(const Reader& reader, std::string_view key) {
  const auto value = reader.get(key);
  EXPECT_TRUE(value);
  return value && *value ? **value : "(none)";
}

void put_all(Store& store, const Rows& rows) {
  for (const auto& [key, value] : rows) store.batch().put(key, value);
  ASSERT_TRUE(store.commit());
}

class StoreTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam()) {
      auto opened = Store::open(directory_.path());
      ASSERT_TRUE(opened) << opened.error().message;
      store_ = std::move(*opened);
    } else {
      store_ = std::make_unique<MemoryStore>();
    }
  }
  TemporaryDirectory directory_;
  std::unique_ptr<Store> store_;
};

INSTANTIATE_TEST_SUITE_P(Kinds, StoreTest, testing::Bool(),
                         [](const auto& kind) { return kind.param ? "disk" : "memory"; });

TEST_P(StoreTest, a_batch_reads_its_own_writes_and_nobody_else_does_before_the_commit) {
  put_all(*store_, {{"a", "1"}, {"b", "2"}, {"c", "3"}});
  Batch& batch = store_->batch();
  batch.put("b", "22");
  batch.erase("c");
  batch.put("d", "4");
  EXPECT_EQ(value_of(batch, "a"), "1");
  EXPECT_EQ(value_of(batch, "b"), "22");
  EXPECT_EQ(value_of(batch, "c"), "(none)");
  EXPECT_EQ(scan_of(batch), (Rows{{"a", "1"}, {"b", "22"}, {"d", "4"}}));
  EXPECT_EQ(scan_of(store_->reader()), (Rows{{"a", "1"}, {"b", "2"}, {"c", "3"}}));
  ASSERT_TRUE(store_->commit());
  EXPECT_EQ(scan_of(store_->reader()), (Rows{{"a", "1"}, {"b", "22"}, {"d", "4"}}));
  EXPECT_EQ(scan_of(store_->batch()), scan_of(store_->reader()));
}

TEST_P(StoreTest, a_discarded_batch_leaves_nothing) {
  put_all(*store_, {{"a", "1"}});
  store_->batch().put("b", "2");
  store_->batch().erase("a");
  store_->discard();
  EXPECT_EQ(scan_of(store_->batch()), (Rows{{"a", "1"}}));
  ASSERT_TRUE(store_->commit());
  EXPECT_EQ(scan_of(store_->reader()), (Rows{{"a", "1"}}));
}

TEST_P(StoreTest, rolls_back_to_the_last_save_point) {
  put_all(*store_, {{"a", "1"}, {"z", "9"}});
  Batch& batch = store_->batch();
  batch.put("b", "2");
  batch.set_save_point();
  batch.put("b", "22");
  batch.put("c", "3");
  batch.erase("a");
  batch.erase_range("y", "zz");
  batch.roll_back_to_save_point();
  EXPECT_EQ(scan_of(batch), (Rows{{"a", "1"}, {"b", "2"}, {"z", "9"}}));
  EXPECT_EQ(value_of(batch, "a"), "1");
  EXPECT_EQ(value_of(batch, "b"), "2");
  // A save point that was not used does not hinder the next one.
  batch.set_save_point();
  batch.put("d", "4");
  batch.set_save_point();
  batch.put("e", "5");
  batch.roll_back_to_save_point();
  ASSERT_TRUE(store_->commit());
  EXPECT_EQ(scan_of(store_->reader()), (Rows{{"a", "1"}, {"b", "2"}, {"d", "4"}, {"z", "9"}}));
}

TEST_P(StoreTest, erases_a_range_of_stored_and_of_new_rows) {
  put_all(*store_, {{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}});
  Batch& batch = store_->batch();
  batch.put("bb", "5");
  batch.put("d", "44");
  batch.erase_range("b", "d");
  EXPECT_EQ(scan_of(batch), (Rows{{"a", "1"}, {"d", "44"}}));
  batch.erase_range("x", "y");
  batch.erase_range("d", "a");
  ASSERT_TRUE(store_->commit());
  EXPECT_EQ(scan_of(store_->reader()), (Rows{{"a", "1"}, {"d", "44"}}));
}

TEST_P(StoreTest, a_scan_takes_the_first_key_and_not_the_last_and_stops_when_told) {
  put_all(*store_,
          {{"a", "1"}, {std::string("a\0", 2), "2"}, {"b", "3"}, {"b\xff", "4"}, {"c", "5"}});
  EXPECT_EQ(scan_of(store_->reader(), "a", "b"), (Rows{{"a", "1"}, {std::string("a\0", 2), "2"}}));
  EXPECT_EQ(scan_of(store_->reader(), "b", "c"), (Rows{{"b", "3"}, {"b\xff", "4"}}));
  EXPECT_TRUE(scan_of(store_->reader(), "c", "c").empty());
  EXPECT_TRUE(scan_of(store_->reader(), "d", "a").empty());
  for (const Reader* reader : {&store_->reader(), static_cast<const Reader*>(&store_->batch())}) {
    int seen = 0;
    ASSERT_TRUE(
        reader->scan("a", "z", [&](std::string_view, std::string_view) { return ++seen < 2; }));
    EXPECT_EQ(seen, 2);
  }
}

TEST_P(StoreTest, a_snapshot_does_not_see_later_commits) {
  put_all(*store_, {{"a", "1"}, {"b", "2"}});
  const auto snapshot = store_->snapshot();
  put_all(*store_, {{"a", "11"}, {"c", "3"}});
  store_->batch().erase("b");
  ASSERT_TRUE(store_->commit());
  EXPECT_EQ(scan_of(*snapshot), (Rows{{"a", "1"}, {"b", "2"}}));
  EXPECT_EQ(value_of(*snapshot, "a"), "1");
  EXPECT_EQ(value_of(*snapshot, "c"), "(none)");
  EXPECT_EQ(scan_of(store_->reader()), (Rows{{"a", "11"}, {"c", "3"}}));
}

TEST_P(StoreTest, a_checkpoint_brings_its_moment_back) {
  put_all(*store_, {{"a", "1"}, {"b", "2"}});
  const auto checkpoint = store_->make_checkpoint("7");
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  EXPECT_FALSE(checkpoint->files.empty());
  put_all(*store_, {{"a", "11"}, {"c", "3"}});
  ASSERT_TRUE(store_->restore_checkpoint(*checkpoint));
  EXPECT_EQ(scan_of(store_->reader()), (Rows{{"a", "1"}, {"b", "2"}}));
  // It works on, and the checkpoint is still good.
  put_all(*store_, {{"d", "4"}});
  EXPECT_EQ(scan_of(store_->reader()), (Rows{{"a", "1"}, {"b", "2"}, {"d", "4"}}));
  ASSERT_TRUE(store_->flush());
  ASSERT_TRUE(store_->restore_checkpoint(*checkpoint));
  EXPECT_EQ(scan_of(store_->reader()), (Rows{{"a", "1"}, {"b", "2"}}));
}

TEST_P(StoreTest, checkpoints_are_listed_replaced_and_removed) {
  EXPECT_TRUE(store_->checkpoints().empty());
  put_all(*store_, {{"a", "1"}});
  ASSERT_TRUE(store_->make_checkpoint("1"));
  ASSERT_TRUE(store_->make_checkpoint("2"));
  put_all(*store_, {{"a", "2"}});
  const auto again = store_->make_checkpoint("2");
  ASSERT_TRUE(again);
  store_->remove_checkpoint("1");
  store_->remove_checkpoint("nobody");
  EXPECT_EQ(store_->checkpoints(), std::vector<std::string>{"2"});
  put_all(*store_, {{"a", "3"}});
  ASSERT_TRUE(store_->restore_checkpoint(*again));
  EXPECT_EQ(value_of(store_->reader(), "a"), "2");
}

TEST_P(StoreTest, a_checkpoint_that_is_not_whole_is_refused_and_the_database_stays) {
  put_all(*store_, {{"a", "1"}});
  auto checkpoint = store_->make_checkpoint("7");
  ASSERT_TRUE(checkpoint);
  put_all(*store_, {{"a", "2"}});
  std::vector<Checkpoint> bad(4, *checkpoint);
  bad[0].name = "8";
  bad[1].files[0].size_bytes += 1;
  bad[2].files.push_back({"nobody.sst", 10});
  bad[3].files.clear();
  for (const Checkpoint& wrong : bad) {
    const auto restored = store_->restore_checkpoint(wrong);
    ASSERT_FALSE(restored);
    EXPECT_EQ(restored.error().code, ErrorCode::Corrupt);
    EXPECT_EQ(scan_of(store_->reader()), (Rows{{"a", "2"}}));
    put_all(*store_, {{"a", "2"}});
  }
}

TEST_P(StoreTest, behaves_as_a_map_does) {
  const char* given = std::getenv("SEED");
  const std::uint64_t seed =
      given != nullptr ? std::strtoull(given, nullptr, 10) : system_random().next();
  std::printf("SEED=%llu\n", static_cast<unsigned long long>(seed));
  SeededRandom random(seed);
  std::map<std::string, std::string> committed, working, saved;
  bool has_save_point = false;
  const auto key = [&] {
    return std::string(1 + random.below(2), static_cast<char>('a' + random.below(6)));
  };
  for (int step = 0; step < 3'000; ++step) {
    switch (random.below(9)) {
      case 0:
      case 1:
      case 2: {
        const std::string k = key(), v = std::to_string(step);
        store_->batch().put(k, v);
        working[k] = v;
        break;
      }
      case 3: {
        const std::string k = key();
        store_->batch().erase(k);
        working.erase(k);
        break;
      }
      case 4: {
        const std::string from = key(), to = key();
        store_->batch().erase_range(from, to);
        if (from < to) working.erase(working.lower_bound(from), working.lower_bound(to));
        break;
      }
      case 5:
        store_->batch().set_save_point();
        saved = working;
        has_save_point = true;
        break;
      case 6:
        if (!has_save_point) break;
        store_->batch().roll_back_to_save_point();
        working = saved;
        has_save_point = false;
        break;
      case 7:
        ASSERT_TRUE(store_->commit());
        committed = working;
        has_save_point = false;
        break;
      default:
        if (random.below(4) != 0) break;
        store_->discard();
        working = committed;
        has_save_point = false;
    }
    const std::string from = key();
    ASSERT_EQ(scan_of(store_->batch(), from, "z"), Rows(working.lower_bound(from), working.end()));
    ASSERT_EQ(scan_of(store_->reader(), from, "z"),
              Rows(committed.lower_bound(from), committed.end()));
  }
}

TEST(DiskStore, opens_again_with_what_was_flushed) {
  TemporaryDirectory directory;
  {
    auto store = Store::open(directory.path());
    ASSERT_TRUE(store);
    put_all(**store, {{"a", "1"}});
    ASSERT_TRUE((*store)->flush());
    EXPECT_GT((*store)->memory_bytes(), 0U);
  }
  auto store = Store::open(directory.path());
  ASSERT_TRUE(store);
  EXPECT_EQ(scan_of((*store)->reader()), (Rows{{"a", "1"}}));
}

TEST(DiskStore, a_directory_is_used_by_one_at_a_time) {
  TemporaryDirectory directory;
  auto store = Store::open(directory.path());
  ASSERT_TRUE(store);
  EXPECT_FALSE(Store::open(directory.path()));
}

TEST(DiskStore, a_checkpoint_whose_files_are_damaged_is_refused_and_the_database_stays) {
  TemporaryDirectory directory;
  auto opened = Store::open(directory.path());
  ASSERT_TRUE(opened);
  Store& store = **opened;
  put_all(store, {{"a", "1"}});
  const auto checkpoint = store.make_checkpoint("7");
  ASSERT_TRUE(checkpoint);
  put_all(store, {{"a", "2"}});
  for (const auto& file : checkpoint->files) {
    const Path path = directory.path() / "checkpoints" / "7" / file.name;
    if (!file.name.starts_with("MANIFEST") && file.name != "CURRENT") continue;
    const auto content = read_file(path, 1 << 20);
    ASSERT_TRUE(content);
    { std::ofstream(path, std::ios::binary) << std::string(content->size(), 'x'); }
    EXPECT_FALSE(store.restore_checkpoint(*checkpoint)) << file.name;
    EXPECT_EQ(scan_of(store.reader()), (Rows{{"a", "2"}}));
    put_all(store, {{"a", "2"}});
    { std::ofstream(path, std::ios::binary) << *content; }
  }
  // Without its tables it would be an empty database.
  Checkpoint partial = *checkpoint;
  std::erase_if(partial.files, [](const auto& file) { return file.name.ends_with(".sst"); });
  EXPECT_FALSE(store.restore_checkpoint(partial));
  EXPECT_EQ(scan_of(store.reader()), (Rows{{"a", "2"}}));
  EXPECT_TRUE(store.restore_checkpoint(*checkpoint));
  EXPECT_EQ(scan_of(store.reader()), (Rows{{"a", "1"}}));
}

TEST(DiskStore, readers_live_through_a_restore) {
  TemporaryDirectory directory;
  auto opened = Store::open(directory.path());
  ASSERT_TRUE(opened);
  Store& store = **opened;
  Rows rows;
  for (int i = 0; i < 500; ++i)
    rows.emplace_back("key" + std::to_string(1'000 + i), std::string(100, 'v'));
  put_all(store, rows);
  const auto checkpoint = store.make_checkpoint("1");
  ASSERT_TRUE(checkpoint);
  std::atomic<bool> stop = false;
  std::atomic<int> reads = 0, wrong = 0;
  std::vector<std::thread> readers;
  for (int t = 0; t < 2; ++t) {
    readers.emplace_back([&, t] {
      while (!stop) {
        std::size_t count = 0;
        const auto visit = [&](std::string_view key, std::string_view) {
          count += store.reader().get(key).has_value() ? 1U : 0U;
          return true;
        };
        const auto snapshot = store.snapshot();
        const Reader& reader = t == 0 ? store.reader() : *snapshot;
        const auto scanned = reader.scan("key", "kez", visit);
        // Refused while the database is being replaced; never half of it.
        if (!scanned && scanned.error().code != ErrorCode::Unavailable) ++wrong;
        if (scanned && count > rows.size()) ++wrong;
        ++reads;
        reads.notify_one();
      }
    });
  }
  for (int i = 0; i < 10; ++i) {
    const int before = reads;
    reads.wait(before);
    EXPECT_TRUE(store.restore_checkpoint(*checkpoint));
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(scan_of(store.reader()), rows);
}

TEST(DiskStore, a_kill_leaves_a_prefix_with_its_index) {
  TemporaryDirectory directory;
  for (int round = 0; round < 3; ++round) {
    testing_support::kill_while_writing(directory.path(), 3'000);
    auto store = Store::open(directory.path() / "store");
    ASSERT_TRUE(store) << store.error().message;
    const auto applied = (*store)->reader().get(keys::kApplied);
    ASSERT_TRUE(applied);
    const std::uint64_t index = *applied ? keys::read_u64(**applied) : 0;
    EXPECT_GT(index, 0U) << "the child flushes now and then";
    const auto rows = scan_of((*store)->reader(), "x/", "x0");
    EXPECT_EQ(rows.size(), 2 * index);
    for (std::uint64_t i = 1; i <= index; ++i) {
      EXPECT_EQ(value_of((*store)->reader(), keys::executions_of(i)), std::to_string(i));
    }
  }
}

TEST(MemoryStore, a_crash_goes_back_to_what_was_flushed) {
  MemoryStore store;
  put_all(store, {{"a", "1"}});
  ASSERT_TRUE(store.flush());
  put_all(store, {{"b", "2"}});
  store.batch().put("c", "3");
  store.crash();
  EXPECT_EQ(scan_of(store.reader()), (Rows{{"a", "1"}}));
  EXPECT_EQ(scan_of(store.batch()), (Rows{{"a", "1"}}));
}

TEST(MemoryStore, a_checkpoint_travels_as_bytes) {
  MemoryStore from, to;
  put_all(from, {{"a", "1"}, {std::string("\0\xff", 2), std::string(1'000, 'x')}, {"c", ""}});
  ASSERT_TRUE(from.make_checkpoint("5"));
  const auto bytes = from.read_checkpoint("5");
  ASSERT_TRUE(bytes);
  const auto checkpoint = to.add_checkpoint("5", *bytes);
  ASSERT_TRUE(checkpoint);
  ASSERT_TRUE(to.restore_checkpoint(*checkpoint));
  EXPECT_EQ(to.rows(), from.rows());
  EXPECT_FALSE(to.add_checkpoint("6", bytes->substr(0, bytes->size() - 1)));
  EXPECT_FALSE(from.read_checkpoint("6"));
}

}  // namespace
}  // namespace dkron::store
