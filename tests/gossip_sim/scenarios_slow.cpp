// Slow members: the experiment of the Lifeguard paper.
//
// Some members are slow for a while, again and again, in one of two ways: their messages get stuck,
// in and out, while their timers run (as in the paper); or their process gets no time at all. A
// healthy member that is declared failed is a false positive; the slow ones are excused. Measured
// with Lifeguard and without.
#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "fleet.h"
#include "report.h"
#include "scenarios.h"

namespace dkron::gossip_sim {
namespace {

struct Slowness {
  std::size_t members = 0;
  Duration slow{};
  Duration pause{};  // Between two times.
  bool is_frozen = false;
};

struct Outcome {
  std::uint64_t at_healthy = 0;  // Healthy members seen to fail by healthy ones.
  std::uint64_t at_all = 0;      // By any.
  std::set<std::size_t> victims;
};

Profile without_lifeguard() {
  Profile profile;
  profile.awareness_max_multiplier = 1;
  profile.suspicion_max_timeout_mult = 1;
  return profile;
}

Outcome observe(Fleet& fleet, Duration length, const Slowness& slowness) {
  Outcome outcome;
  // The slow ones are the last; the seed decides who they are to the others.
  const std::size_t first_slow = fleet.actors().size() - slowness.members;
  fleet.on_change([&](std::size_t viewer, std::size_t of, MemberEvent::Type type) {
    if (type != MemberEvent::Type::Failed || of >= first_slow) return;
    ++outcome.at_all;
    if (viewer < first_slow) ++outcome.at_healthy;
    outcome.victims.insert(of);
  });
  fleet.set_quiet(false);
  const Duration end = fleet.now() + length;
  while (fleet.now() < end) {
    for (std::size_t i = first_slow; i < fleet.actors().size(); ++i) {
      slowness.is_frozen ? fleet.freeze(i) : fleet.stick(i);
    }
    fleet.run(slowness.slow);
    for (std::size_t i = first_slow; i < fleet.actors().size(); ++i) {
      slowness.is_frozen ? fleet.thaw(i) : fleet.loosen(i);
    }
    fleet.run(slowness.pause);
  }
  fleet.set_quiet(true);
  fleet.settle(minutes(5));
  fleet.on_change({});
  return outcome;
}

void print_outcome(const std::string& what, const Outcome& outcome) {
  print_row(what, double(outcome.at_healthy), "at healthy ones",
            std::to_string(outcome.at_all) + " at all, " + std::to_string(outcome.victims.size()) +
                " victims");
}

}  // namespace

void run_slow(const Wish& wish) {
  // No more than in the paper: plain SWIM's false alarms grow with the square.
  const std::size_t most = wish.length >= minutes(1) ? 128 : 64;
  const std::size_t members = std::min(wish.members, most);
  const std::size_t few = std::max<std::size_t>(1, members / 16);
  Fleet with({wish.seed, {}});
  with.form(members);
  Fleet without({wish.seed, without_lifeguard()});
  without.form(members);
  std::uint64_t sum_with = 0;
  std::uint64_t sum_without = 0;
  constexpr Duration kPause = seconds(2);
  std::vector<Slowness> all = {{few, seconds(16), kPause, false}, {few, seconds(16), kPause, true}};
  // Plain SWIM drowns in these, and so takes long.
  if (wish.length >= minutes(1)) {
    all.push_back({few, seconds(4), kPause, false});
    all.push_back({4 * few, seconds(16), kPause, false});
  }
  for (const Slowness& slowness : all) {
    const std::string name = std::to_string(slowness.members) +
                             (slowness.is_frozen ? " frozen for " : " stuck for ") +
                             format_duration(slowness.slow) + ": ";
    const Outcome plain = observe(without, wish.length, slowness);
    const Outcome guarded = observe(with, wish.length, slowness);
    print_outcome(name + "false positives, plain SWIM", plain);
    print_outcome(name + "false positives, Lifeguard", guarded);
    sum_with += guarded.at_healthy;
    sum_without += plain.at_healthy;
  }
  if (sum_without == 0) return;
  print_row("all: Lifeguard's false positives", 100.0 * double(sum_with) / double(sum_without),
            "% of plain SWIM's");
}

}  // namespace dkron::gossip_sim
