// The http executor: one exchange per run, on threads of its own.
#include <fcntl.h>

#include <atomic>
#include <map>

#include "base/log.h"
#include "executor/builtin.h"
#include "executor/http_config.h"
#include "net/worker_pool.h"

namespace dkron::executor {
namespace {

// What the thread that does the exchange shares with the run.
struct Exchange {
  Config config;
  Path spool_path;
  std::atomic<bool> is_canceled{false};
};

Result<void> append_to(const Path& path, std::string_view bytes) {
  auto file = open_file(path, O_WRONLY | O_APPEND | O_CREAT);
  if (!file) return fail(file.error());
  return write_all(file->get(), bytes, path);
}

// Blocking; the pool's threads.
RunResult perform(const Exchange& exchange, const HttpFetch& fetch) {
  RunResult result;
  auto plan = plan_http(exchange.config);
  if (!plan) {
    result.error = plan.error().message;
    return result;
  }
  plan->request.canceled = &exchange.is_canceled;
  std::string output = plan->preamble;
  if (const auto answer = fetch(plan->request)) {
    output += answer->body;
    result.error = check_answer(*plan, answer->status, answer->body);
    if (answer->body_truncated) {
      result.trailer = "Warning: the response body was cut after " +
                       std::to_string(answer->body.size()) + " bytes.";
    }
  } else {
    result.error = answer.error().message;
  }
  if (auto written = append_to(exchange.spool_path, output); !written && result.error.empty()) {
    result.error = "cannot write the output file: " + written.error().message;
  }
  result.success = result.error.empty();
  return result;
}

// The loop's side of a run; a result that arrives after its end is dropped.
struct Waiter {
  Events events;
  std::string cancel_reason;
  std::shared_ptr<Exchange> exchange;

  void finish(RunResult result) {
    if (exchange->is_canceled) result = {false, "canceled: " + cancel_reason, {}};
    events.finished(std::move(result));
  }
};

class HttpRun final : public Run {
 public:
  explicit HttpRun(std::shared_ptr<Waiter> waiter) : waiter_(std::move(waiter)) {}
  ~HttpRun() override { waiter_->exchange->is_canceled = true; }
  void cancel(std::string_view reason) override {
    if (!waiter_->exchange->is_canceled.exchange(true)) waiter_->cancel_reason = reason;
  }

 private:
  std::shared_ptr<Waiter> waiter_;
};

class HttpExecutor final : public Executor {
 public:
  HttpExecutor(net::Loop& loop, HttpFetch fetch)
      : post_(loop.poster()), fetch_(std::make_shared<HttpFetch>(std::move(fetch))) {}

  ~HttpExecutor() override {
    for (const auto& [number, exchange] : exchanges_) {
      if (const auto live = exchange.lock()) live->is_canceled = true;
    }
  }

  std::string_view name() const override { return "http"; }
  Result<void> validate(const Config& config) const override { return validate_http(config); }

  std::unique_ptr<Run> start(RunContext context, Events events) override {
    auto exchange = std::make_shared<Exchange>();
    exchange->config = std::move(context.config);
    exchange->spool_path = std::move(context.spool_path);
    auto waiter = std::make_shared<Waiter>();
    waiter->events = std::move(events);
    waiter->exchange = exchange;
    const std::uint64_t number = next_number_++;
    exchanges_.emplace(number, exchange);
    // The weak pointer is locked on the loop's thread only, so the events never leave it.
    const std::weak_ptr<Waiter> weak = waiter;
    const std::weak_ptr<Exchanges> list = list_;
    const auto deliver = [weak, list, number](RunResult result) {
      if (const auto open = list.lock()) open->erase(number);
      if (const auto live = weak.lock()) live->finish(std::move(result));
    };
    const auto begin = [weak] {
      if (const auto live = weak.lock()) live->events.started(std::nullopt);
    };
    const bool is_queued = pool_.try_post([exchange, begin, deliver, fetch = fetch_, post = post_] {
      RunResult result;
      if (!exchange->is_canceled) {
        post(begin);
        result = perform(*exchange, *fetch);
      }
      post([deliver, result = std::move(result)] { deliver(result); });
    });
    if (!is_queued) {
      post_([deliver] { deliver({false, "http: too many requests wait on this node", {}}); });
    }
    return std::make_unique<HttpRun>(std::move(waiter));
  }

 private:
  // Of the loop's thread: what is to be broken off when the executor ends.
  using Exchanges = std::map<std::uint64_t, std::weak_ptr<Exchange>>;

  Post post_;
  std::shared_ptr<HttpFetch> fetch_;
  std::shared_ptr<Exchanges> list_ = std::make_shared<Exchanges>();
  Exchanges& exchanges_ = *list_;
  std::uint64_t next_number_ = 0;
  net::WorkerPool pool_{kHttpThreads};  // Last, so that it ends first.
};

}  // namespace

std::unique_ptr<Executor> make_http_executor(net::Loop& loop, HttpFetch fetch) {
  return std::make_unique<HttpExecutor>(loop, std::move(fetch));
}

}  // namespace dkron::executor
