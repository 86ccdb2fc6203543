#include "net/loop.h"

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <thread>

#include "base/clock.h"
#include "base/log.h"

namespace dkron::net {
namespace {

namespace asio = boost::asio;

constexpr Duration kSlowHandler = milliseconds(50);

// Runs a handler and reports one that held up everybody else.
void run_watched(const Task& task) {
  const Duration before = system_clock().steady();
  task();
  const Duration took = system_clock().steady() - before;
  if (took > kSlowHandler) log::debug("main: a handler blocked the loop", {{"took", took}});
}

// Callbacks outlive neither a cancel nor the object: the generation tells a stale completion.
class AsioTimer final : public Timer {
 public:
  explicit AsioTimer(asio::io_context& context) : state_(std::make_shared<State>(context)) {}
  ~AsioTimer() override { cancel(); }

  void start(Duration delay, Task callback) override {
    const std::uint64_t generation = ++state_->generation;
    state_->callback = std::move(callback);
    state_->timer.expires_after(std::chrono::duration_cast<asio::steady_timer::duration>(delay));
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
      : state_(std::make_shared<State>(context, fd, std::move(callback))) {
    state_->descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                                  [state = state_](const boost::system::error_code& error) {
                                    if (error || state->callback == nullptr) return;
                                    const Task task = std::exchange(state->callback, nullptr);
                                    run_watched(task);
                                  });
  }
  ~AsioWatch() override {
    state_->callback = nullptr;
    state_->descriptor
        .release();  // The descriptor belongs to the caller; this also cancels the wait.
  }

 private:
  struct State {
    State(asio::io_context& context, int fd, Task task)
        : descriptor(context, fd), callback(std::move(task)) {}
    asio::posix::stream_descriptor descriptor;
    Task callback;
  };
  std::shared_ptr<State> state_;
};

}  // namespace

struct Loop::Impl {
  asio::io_context context;
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  std::vector<std::unique_ptr<asio::signal_set>> signals;
  std::atomic<std::thread::id> thread;
  // Posters may outlive the loop; they find out through this flag.
  std::shared_ptr<std::atomic<bool>> alive = std::make_shared<std::atomic<bool>>(true);

  void await_signal(asio::signal_set* set, std::shared_ptr<std::function<void(int)>> callback) {
    set->async_wait([this, set, callback](const boost::system::error_code& error, int signal) {
      if (error) return;
      await_signal(set, callback);
      (*callback)(signal);
    });
  }
};

Loop::Loop() : impl_(std::make_unique<Impl>()) {}
Loop::~Loop() {
  *impl_->alive = false;
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
  return [this, alive = impl_->alive](Task task) {
    if (*alive) post(std::move(task));
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
  for (const int signal : signals) set->add(signal);
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
