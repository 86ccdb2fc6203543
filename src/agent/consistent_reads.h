// ConsistentReads: lets a read wait until this server holds everything that was acknowledged before
// the read was asked for (linearizable reads at any server).
//
// The leader's answer to read_index says how far that is. One question is under way at a time:
// those who come meanwhile share the next one. Main loop's thread.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/task_loop.h"
#include "rpc/calls.h"

namespace dkron::agent {

class ConsistentReads {
 public:
  static constexpr Duration kLimit = seconds(5);  // Until the log has come; then Timeout.
  static constexpr Duration kLookEvery = milliseconds(2);
  static constexpr std::size_t kWaitingLimit = 4'096;  // Then Overloaded.

  struct Services {
    TaskLoop& loop;
    const Clock& clock;
    std::function<void(rpc::ServerService::OnIndex)> ask;  // The leader, or this server as such.
    std::function<std::uint64_t()> applied_index;          // Of this server.
  };
  explicit ConsistentReads(Services services)
      : services_(std::move(services)), look_timer_(services_.loop.make_timer()) {}

  // Ok: what is read from now on is consistent.
  void wait(std::function<void(Result<void>)> done);

 private:
  using Waiting = std::vector<std::function<void(Result<void>)>>;
  void ask();
  void on_index(Result<std::uint64_t> index);
  void look(std::uint64_t index, Duration give_up_at);
  void answer(const Result<void>& result);

  Services services_;
  Waiting next_;     // For the next question.
  Waiting current_;  // For the one under way.
  std::unique_ptr<Timer> look_timer_;
};

}  // namespace dkron::agent
