// StallWatch: notices that nobody runs what a leader posts.
//
// A leader whose main loop hangs holds an office that nobody fills: it answers heartbeats, so no
// other takes over. While this server leads a ping is posted now and then, and when one is not
// answered in time the leadership is to be handed over. Owned by Engine; raft thread, except for
// the ping itself.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/executor.h"
#include "base/time.h"

namespace dkron::raft {

class StallWatch {
 public:
  StallWatch(Post post, Duration limit) : post_(std::move(post)), limit_(limit) {}

  // How often turn() is to be called.
  Duration period() const { return limit_ / 8; }
  // True when a ping is unanswered for the limit; then again after the same time.
  bool turn(bool leads, Duration now) {
    if (!leads || answered_->load() == sent_) {
      since_ = now;
      if (leads) send();
      return false;
    }
    if (now - since_ < limit_) return false;
    since_ = now;
    return true;
  }

 private:
  void send() {
    ++sent_;
    post_([answered = answered_, number = sent_] { answered->store(number); });
  }

  const Post post_;
  const Duration limit_;
  std::uint64_t sent_ = 0;
  Duration since_{0};  // Steady time of the ping, or of the last alarm about it.
  std::shared_ptr<std::atomic<std::uint64_t>> answered_ =
      std::make_shared<std::atomic<std::uint64_t>>(0);
};

}  // namespace dkron::raft
