// Leaderless: says why there is no leader, for as long as there is none: who is missing, since
// when, how many are needed.
//
// The same words go to the log (at warning level, every kSayEvery and when others are missing than
// before) and to clients. Main loop's thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "agent/peer_table.h"
#include "base/clock.h"
#include "base/task_loop.h"
#include "raft/node.h"

namespace dkron::agent {

// One sentence, or a few. Pure.
std::string why_no_leader(const raft::Status& status, const PeerTable& peers,
                          const std::string& own_name, Duration now);

class Leaderless {
 public:
  static constexpr Duration kSayEvery = seconds(30);
  static constexpr Duration kLookEvery = milliseconds(500);
  // An election takes less; behind it nobody waits for one any more.
  static constexpr Duration kElectionLimit = seconds(5);

  struct Services {
    TaskLoop& loop;
    const Clock& clock;
    const raft::Node& raft;
    const PeerTable& peers;
    std::string own_name;
  };
  explicit Leaderless(Services services);

  void start();
  void look();
  // There is a leader, or one has been missing for a moment only.
  bool is_leader_near() const;
  std::string why() const;

 private:
  Services services_;
  std::optional<Duration> since_;    // Steady time; nothing: there is a leader.
  std::optional<Duration> said_at_;  // In this time without one.
  std::set<std::string> said_missing_;
  bool had_leader_ = false;
  std::unique_ptr<Timer> timer_;
};

}  // namespace dkron::agent
