#include "net/loop.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "net/test_support.h"

namespace dkron::net {
namespace {

TEST(Loop, runs_posted_tasks_in_order_and_never_inside_post) {
  Loop loop;
  std::vector<int> order;
  loop.post([&] {
    order.push_back(1);
    loop.post([&] {
      order.push_back(3);
      loop.post([&] { loop.stop(); });
    });
    order.push_back(2);
  });
  EXPECT_TRUE(order.empty());
  loop.run();
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST(Loop, keeps_the_order_of_each_posting_thread) {
  test::LoopThread loop;
  const Post post = loop.loop().poster();
  std::vector<std::vector<int>> seen(4);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < seen.size(); ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 1000; ++i) post([&, t, i] { seen[t].push_back(i); });
    });
  }
  for (std::thread& thread : threads) thread.join();
  loop.run([] {});
  for (const std::vector<int>& numbers : seen) {
    ASSERT_EQ(numbers.size(), 1000U);
    EXPECT_TRUE(std::is_sorted(numbers.begin(), numbers.end()));
  }
}

TEST(Loop, knows_its_thread) {
  test::LoopThread loop;
  bool inside = false;
  loop.run([&] { inside = loop.loop().is_loop_thread(); });
  EXPECT_TRUE(inside);
  EXPECT_FALSE(loop.loop().is_loop_thread());
}

TEST(Loop, drops_what_is_posted_after_its_end) {
  auto witness = std::make_shared<int>(1);
  Post post;
  {
    Loop loop;
    post = loop.poster();
    post([witness] { FAIL() << "the loop never runs"; });
    EXPECT_EQ(witness.use_count(), 2);
  }
  EXPECT_EQ(witness.use_count(), 1);
  post([witness] { FAIL() << "the loop is gone"; });
  EXPECT_EQ(witness.use_count(), 1);
}

TEST(Loop, a_poster_survives_the_end_of_its_loop_at_any_moment) {
  for (int round = 0; round < 50; ++round) {
    auto loop = std::make_unique<test::LoopThread>();
    std::atomic<bool> is_over{false};
    std::thread poster([post = loop->loop().poster(), &is_over] {
      while (!is_over) post([] {});
    });
    loop->run([] {});
    loop.reset();
    is_over = true;
    poster.join();
  }
}

// A task that posts from its destructor, when the loop destroys its queue.
TEST(Loop, may_be_posted_to_from_what_it_destroys) {
  auto loop = std::make_unique<Loop>();
  const Post post = loop->poster();
  bool is_destroyed = false;
  std::shared_ptr<void> last(nullptr, [&is_destroyed, post](void*) {
    post([] {});
    is_destroyed = true;
  });
  loop->post([last] {});
  last.reset();
  loop.reset();
  EXPECT_TRUE(is_destroyed);
}

TEST(Timer, calls_back_once_and_later) {
  Loop loop;
  const auto timer = loop.make_timer();
  int calls = 0;
  const Duration before = system_clock().steady();
  timer->start(milliseconds(5), [&] {
    ++calls;
    loop.post([&] { loop.stop(); });
  });
  EXPECT_EQ(calls, 0);
  loop.run();
  EXPECT_EQ(calls, 1);
  EXPECT_GE(system_clock().steady() - before, milliseconds(5));
}

TEST(Timer, a_second_start_replaces_the_first) {
  Loop loop;
  const auto timer = loop.make_timer();
  std::string calls;
  timer->start(Duration(0), [&] { calls += "first"; });
  timer->start(milliseconds(1), [&] {
    calls += "second";
    loop.stop();
  });
  loop.run();
  EXPECT_EQ(calls, "second");
}

TEST(Timer, cancel_and_destruction_hold_even_when_the_time_has_come) {
  Loop loop;
  auto canceled = loop.make_timer();
  auto destroyed = loop.make_timer();
  const auto first = loop.make_timer();
  const auto last = loop.make_timer();
  // All are due in the same turn; the first takes the others away.
  first->start(Duration(0), [&] {
    canceled->cancel();
    destroyed.reset();
  });
  canceled->start(nanoseconds(1), [] { FAIL() << "canceled"; });
  destroyed->start(nanoseconds(1), [] { FAIL() << "destroyed"; });
  last->start(milliseconds(2), [&] { loop.stop(); });
  loop.run();
  EXPECT_EQ(destroyed, nullptr);
}

TEST(Timer, may_be_started_again_or_destroyed_by_its_own_callback) {
  Loop loop;
  auto timer = loop.make_timer();
  int calls = 0;
  std::function<void()> again = [&] {
    if (++calls < 3) {
      timer->start(Duration(0), again);
      return;
    }
    timer.reset();
    loop.stop();
  };
  timer->start(Duration(0), again);
  loop.run();
  EXPECT_EQ(calls, 3);
}

TEST(Timer, takes_the_longest_and_negative_delays) {
  Loop loop;
  const auto endless = loop.make_timer();
  endless->start(Duration::max(), [] { FAIL() << "the longest delay is over"; });
  const auto past = loop.make_timer();
  past->start(Duration::min(), [&] { loop.stop(); });
  loop.run();
}

TEST(Watch, calls_back_once_when_the_descriptor_becomes_readable) {
  test::LoopThread loop;
  const UniqueFd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  std::unique_ptr<Loop::Watch> watch;
  std::promise<void> called;
  std::atomic<int> calls{0};
  loop.run([&] {
    watch = loop.loop().watch_readable(fd.get(), [&] {
      if (++calls == 1) called.set_value();
    });
  });
  EXPECT_EQ(calls, 0);
  ASSERT_EQ(::eventfd_write(fd.get(), 1), 0);
  ASSERT_EQ(called.get_future().wait_for(test::kPatience), std::future_status::ready);
  ASSERT_EQ(::eventfd_write(fd.get(), 1), 0);
  loop.run([] {});
  loop.run([&] { watch.reset(); });
  EXPECT_EQ(calls, 1);
  eventfd_t value = 0;
  EXPECT_EQ(::eventfd_read(fd.get(), &value), 0) << "the descriptor is still open";
}

TEST(Watch, calls_back_when_the_descriptor_was_readable_before) {
  Loop loop;
  const UniqueFd fd(::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
  const auto watch = loop.watch_readable(fd.get(), [&] { loop.stop(); });
  loop.run();
}

TEST(Watch, destruction_cancels) {
  Loop loop;
  const UniqueFd fd(::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
  auto canceled = loop.watch_readable(fd.get(), [] { FAIL() << "canceled"; });
  canceled.reset();
  std::unique_ptr<Loop::Watch> second;
  second = loop.watch_readable(fd.get(), [&] {
    second.reset();  // From inside its own callback.
    loop.stop();
  });
  loop.run();
}

TEST(Watch, what_cannot_be_watched_counts_as_readable) {
  Loop loop;
  const UniqueFd file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  int calls = 0;
  const auto count = [&] {
    if (++calls == 2) loop.stop();
  };
  const auto regular = loop.watch_readable(file.get(), count);
  const auto none = loop.watch_readable(-1, count);
  EXPECT_EQ(calls, 0);
  loop.run();
}

TEST(Loop, reports_each_signal) {
  test::LoopThread loop;
  std::promise<void> both;
  std::vector<int> seen;
  loop.run([&] {
    loop.loop().on_signals({SIGUSR1, SIGUSR2}, [&](int signal) {
      seen.push_back(signal);
      if (seen.size() == 1) ::kill(::getpid(), SIGUSR2);
      if (seen.size() == 2) both.set_value();
    });
  });
  ::kill(::getpid(), SIGUSR1);
  ASSERT_EQ(both.get_future().wait_for(test::kPatience), std::future_status::ready);
  EXPECT_EQ(seen, (std::vector<int>{SIGUSR1, SIGUSR2}));
}

}  // namespace
}  // namespace dkron::net
