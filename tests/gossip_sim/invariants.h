// What must hold in every cluster at every moment, checked while it is simulated.
//
// * A member's own entry is alive unless it leaves.
// * Nobody knows a later incarnation of a member that never restarted than it has itself, and in
//   one table the incarnation of a node never goes back.
// * Tables and their indexes hold the same, and Serf and the memberlist agree on who is there.
// * Queues stay within their limits.
// * Nobody takes a running, undisturbed member for gone longer than kBeliefBound after quiet.
#pragma once

#include <cstdint>
#include <vector>

#include "base/time.h"

namespace dkron::gossip {
struct Node;
}

namespace dkron::gossip_sim {

class Fleet;

inline constexpr Duration kBeliefBound = minutes(4);

// A violation ends the program (report.h).
class Invariants {
 public:
  explicit Invariants(const Fleet& fleet) : fleet_(fleet) {}

  // The cheap ones of all members, the others of as many members as time allows, by turns: all
  // members of a small cluster.
  void check();
  void check_all();
  // That member's memory is gone.
  void forget(std::size_t member);

 private:
  // What a member's table said of another at the last check.
  struct Known {
    std::uint32_t incarnation = 0;
    bool was_gone = true;  // Then the entry may be another one by now.
  };
  void check_thoroughly(std::size_t member);
  void check_incarnation(std::size_t member, const gossip::Node& node);
  void check_beliefs() const;

  const Fleet& fleet_;
  std::uint64_t turn_ = 0;
  std::vector<std::vector<Known>> known_;
};

}  // namespace dkron::gossip_sim
