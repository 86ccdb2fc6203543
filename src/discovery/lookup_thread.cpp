#include "discovery/lookup_thread.h"

#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

namespace dkron::discovery {
namespace {

// How many threads there are is a fact about the process, whoever asks.
std::atomic<int> lookup_threads{0};

// Shared by the two sides; the later one to go frees it.
struct Answer {
  std::mutex mutex;
  std::condition_variable arrived;
  std::optional<Result<Addresses>> result;
};

void run(const std::shared_ptr<Answer>& answer, const std::function<Result<Addresses>()>& work) {
  ::pthread_setname_np(::pthread_self(), "lookup");
  Result<Addresses> result = work();
  {
    const std::lock_guard lock(answer->mutex);
    answer->result = std::move(result);
  }
  answer->arrived.notify_one();
  --lookup_threads;
}

}  // namespace

Result<Addresses> run_until(Duration deadline, const std::string& what,
                            std::function<Result<Addresses>()> work) {
  if (++lookup_threads > kLookupThreadLimit) {
    --lookup_threads;
    return fail(ErrorCode::Overloaded, what + ": too many lookups hang already");
  }
  const auto answer = std::make_shared<Answer>();
  try {
    std::thread([answer, work = std::move(work)] { run(answer, work); }).detach();
  } catch (const std::system_error& error) {
    --lookup_threads;
    return fail(ErrorCode::Overloaded, what + ": " + error.what());
  }
  std::unique_lock lock(answer->mutex);
  const Duration left = deadline - system_clock().steady();
  if (!answer->arrived.wait_for(lock, left, [&] { return answer->result.has_value(); })) {
    return fail(ErrorCode::Timeout, what + ": i/o timeout");
  }
  return std::move(*answer->result);
}

}  // namespace dkron::discovery
