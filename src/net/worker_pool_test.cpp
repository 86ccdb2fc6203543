#include "net/worker_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <vector>

#include "net/test_support.h"

namespace dkron::net {
namespace {

TEST(WorkerPool, runs_tasks_in_the_order_of_their_posting) {
  std::vector<int> order;
  std::promise<void> done;
  WorkerPool pool(1);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(pool.try_post([&order, i] { order.push_back(i); }));
  ASSERT_TRUE(pool.try_post([&] { done.set_value(); }));
  ASSERT_EQ(done.get_future().wait_for(test::kPatience), std::future_status::ready);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
}

TEST(WorkerPool, its_threads_work_side_by_side) {
  std::promise<void> first_runs;
  std::promise<void> second_ran;
  std::promise<void> done;
  WorkerPool pool(2);
  ASSERT_TRUE(pool.try_post([&] {
    first_runs.set_value();
    EXPECT_EQ(second_ran.get_future().wait_for(test::kPatience), std::future_status::ready);
    done.set_value();
  }));
  first_runs.get_future().wait();
  ASSERT_TRUE(pool.try_post([&] { second_ran.set_value(); }));
  EXPECT_EQ(done.get_future().wait_for(test::kPatience), std::future_status::ready);
}

TEST(WorkerPool, says_no_above_its_limit) {
  std::promise<void> begun;
  std::promise<void> release;
  WorkerPool pool(1);
  ASSERT_TRUE(pool.try_post([&] {
    begun.set_value();
    release.get_future().wait();
  }));
  begun.get_future().wait();
  for (std::size_t i = 0; i < WorkerPool::kQueueLimit; ++i) ASSERT_TRUE(pool.try_post([] {}));
  EXPECT_FALSE(pool.try_post([] {}));
  release.set_value();
}

TEST(WorkerPool, ends_running_tasks_and_drops_waiting_ones) {
  std::promise<void> begun;
  std::promise<void> release;
  bool has_ended = false;
  bool was_accepted = true;
  auto pool = std::make_unique<WorkerPool>(1);
  ASSERT_TRUE(pool->try_post([&] {
    begun.set_value();
    EXPECT_EQ(release.get_future().wait_for(test::kPatience), std::future_status::ready);
    has_ended = true;
  }));
  begun.get_future().wait();
  // The waiting task is dropped while the first one runs, and its destructor may come back.
  const auto on_drop = [&, raw = pool.get()](void*) {
    was_accepted = raw->try_post([] {});
    release.set_value();
  };
  std::shared_ptr<void> last(nullptr, on_drop);
  ASSERT_TRUE(pool->try_post([last] { FAIL() << "dropped"; }));
  last.reset();
  pool.reset();
  EXPECT_TRUE(has_ended);
  EXPECT_FALSE(was_accepted);
}

}  // namespace
}  // namespace dkron::net
