#include "agent/consistent_reads.h"

namespace dkron::agent {

void ConsistentReads::wait(std::function<void(Result<void>)> done) {
  if (next_.size() >= kWaitingLimit) {
    return done(fail(ErrorCode::Overloaded, "too many consistent reads wait"));
  }
  next_.push_back(std::move(done));
  if (current_.empty()) ask();
}

void ConsistentReads::ask() {
  current_ = std::exchange(next_, {});
  services_.ask([this](Result<std::uint64_t> index) { on_index(std::move(index)); });
}

void ConsistentReads::on_index(Result<std::uint64_t> index) {
  if (!index) return answer(fail(index.error()));
  look(*index, services_.clock.steady() + kLimit);
}

void ConsistentReads::look(std::uint64_t index, Duration give_up_at) {
  if (services_.applied_index() >= index) return answer({});
  if (services_.clock.steady() >= give_up_at) {
    return answer(fail(ErrorCode::Timeout, "this server is too far behind the leader"));
  }
  look_timer_->start(kLookEvery, [this, index, give_up_at] { look(index, give_up_at); });
}

void ConsistentReads::answer(const Result<void>& result) {
  const Waiting answered = std::exchange(current_, {});
  for (const auto& done : answered) done(result);
  if (current_.empty() && !next_.empty()) ask();
}

}  // namespace dkron::agent
