#include "net/loop.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <mutex>
#include <thread>

#include "base/assert.h"
#include "net/handler_watch.h"

namespace dkron::net {
namespace {

namespace asio = boost::asio;

void run_watched(const Task& task) {
  const HandlerWatch watch;
  task();
}

// Longer waits would overflow the clock; nobody sees the difference.
constexpr Duration kLongestDelay = hours(24 * 365 * 100);

// Callbacks outlive neither a cancel nor the object: the generation tells a stale completion.
class AsioTimer final : public Timer {
 public:
  explicit AsioTimer(asio::io_context& context) : state_(std::make_shared<State>(context)) {}
  ~AsioTimer() override { cancel(); }

  void start(Duration delay, Task callback) override {
    const std::uint64_t generation = ++state_->generation;
    state_->callback = std::move(callback);
    state_->timer.expires_after(std::clamp(delay, Duration(0), kLongestDelay));
    state_->timer.async_wait([state = state_, generation](const boost::system::error_code& error) {
      if (error || state->generation != generation) return;
      const Task task = std::exchange(state->callback, nullptr);
      run_watched(task);
    });
  }
  void cancel() override {
    ++state_->generation;
    state_->callback = nullptr;
    state_->timer.cancel();
  }

 private:
  struct State {
    explicit State(asio::io_context& context) : timer(context) {}
    asio::steady_timer timer;
    std::uint64_t generation = 0;
    Task callback;
  };
  std::shared_ptr<State> state_;
};

class AsioWatch final : public Loop::Watch {
 public:
  AsioWatch(asio::io_context& context, int fd, Task callback)
      : state_(std::make_shared<State>(context, std::move(callback))) {
    boost::system::error_code error;
    state_->descriptor.assign(fd, error);
    if (error) {
      // Better a needless look at the descriptor than an end that nobody notices.
      asio::post(context, [state = state_] { state->call(); });
      return;
    }
    state_->descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                                  [state = state_](const boost::system::error_code& why) {
                                    if (why != asio::error::operation_aborted) state->call();
                                  });
  }
  ~AsioWatch() override {
    state_->callback = nullptr;
    // The descriptor belongs to the caller. This also cancels the wait.
    if (state_->descriptor.is_open()) state_->descriptor.release();
  }

 private:
  struct State {
    State(asio::io_context& context, Task task) : descriptor(context), callback(std::move(task)) {}
    void call() {
      if (const Task task = std::exchange(callback, nullptr)) run_watched(task);
    }
    asio::posix::stream_descriptor descriptor;
    Task callback;
  };
  std::shared_ptr<State> state_;
};

// Where posters meet the loop's end: a post either finds the loop alive as a whole or is dropped.
struct PostGate {
  std::mutex mutex;
  asio::io_context* context = nullptr;  // Null after the loop's end.
};

}  // namespace

struct Loop::Impl {
  asio::io_context context{1};  // One thread runs it, which saves locks; any thread may post.
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  std::vector<std::unique_ptr<asio::signal_set>> signals;
  std::atomic<std::thread::id> thread;
  std::shared_ptr<PostGate> gate = std::make_shared<PostGate>();  // Outlives the loop.

  void await_signal(asio::signal_set* set, std::shared_ptr<std::function<void(int)>> callback) {
    set->async_wait([this, set, callback](const boost::system::error_code& error, int signal) {
      if (error) return;
      await_signal(set, callback);
      const HandlerWatch watch;
      (*callback)(signal);
    });
  }
};

Loop::Loop() : impl_(std::make_unique<Impl>()) {
  impl_->gate->context = &impl_->context;
}

Loop::~Loop() {
  {
    const std::lock_guard lock(impl_->gate->mutex);
    impl_->gate->context = nullptr;
  }
  // What is left in the queue is destroyed with impl_; destructors that post find the gate shut.
}

void Loop::run() {
  impl_->thread = std::this_thread::get_id();
  impl_->context.run();
  impl_->context.restart();
}

void Loop::stop() {
  impl_->context.stop();
}

void Loop::post(Task task) {
  asio::post(impl_->context, [task = std::move(task)] { run_watched(task); });
}

Post Loop::poster() {
  return [gate = impl_->gate](Task task) {
    const std::lock_guard lock(gate->mutex);
    if (gate->context == nullptr) return;
    asio::post(*gate->context, [task = std::move(task)] { run_watched(task); });
  };
}

bool Loop::is_loop_thread() const {
  return impl_->thread.load() == std::this_thread::get_id();
}

std::unique_ptr<Timer> Loop::make_timer() {
  return std::make_unique<AsioTimer>(impl_->context);
}

void Loop::on_signals(std::vector<int> signals, std::function<void(int)> callback) {
  auto set = std::make_unique<asio::signal_set>(impl_->context);
  for (const int signal : signals) {
    boost::system::error_code error;
    set->add(signal, error);
    DK_ASSERT(!error);
  }
  impl_->await_signal(set.get(), std::make_shared<std::function<void(int)>>(std::move(callback)));
  impl_->signals.push_back(std::move(set));
}

std::unique_ptr<Loop::Watch> Loop::watch_readable(int fd, Task callback) {
  return std::make_unique<AsioWatch>(impl_->context, fd, std::move(callback));
}

asio::io_context& Loop::context() {
  return impl_->context;
}

}  // namespace dkron::net
