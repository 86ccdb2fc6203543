// Networks that lose packets or fall apart, members that crash, and all of it at once.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>

#include "fleet.h"
#include "report.h"
#include "scenarios.h"

namespace dkron::gossip_sim {

void run_loss(const Wish& wish, Fleet& fleet) {
  for (const int percent : {1, 5, 10, 25}) {
    const auto before = fleet.counters();
    std::uint64_t failures = 0;
    std::set<std::size_t> victims;
    fleet.on_change([&](std::size_t, std::size_t of, MemberEvent::Type type) {
      if (type != MemberEvent::Type::Failed) return;
      ++failures;
      victims.insert(of);
    });
    fleet.set_quiet(false);
    fleet.network().set_loss(percent / 100.0);
    fleet.run(wish.length);
    const auto after = fleet.counters();
    fleet.network().set_loss(0);
    fleet.on_change({});
    fleet.set_quiet(true);
    const double hours = in_seconds(wish.length) / 3600 * double(fleet.running());
    const auto rate = [&](std::uint64_t now, std::uint64_t then) {
      return double(now - then) / hours;
    };
    const std::string loss = std::to_string(percent) + " % lost: ";
    print_row(loss + "probes without an answer", rate(after.probes_failed, before.probes_failed),
              "per member-hour",
              std::to_string(after.probes_failed - before.probes_failed) + " of " +
                  std::to_string(after.probes - before.probes));
    print_row(loss + "false suspicions, as all members hear of them",
              rate(after.suspicions, before.suspicions), "per member-hour");
    print_row(loss + "false deaths, at members that saw them", double(failures) / hours,
              "per member-hour", std::to_string(victims.size()) + " different victims");
    print_row(loss + "until all is well again", in_seconds(fleet.settle(minutes(5))), "s");
  }
}

namespace {

// When one death was seen, by whom.
struct Death {
  std::optional<Duration> suspected;
  std::optional<Duration> declared;
  std::size_t known = 0;
  Duration known_last{};
};

bool is_suspected(Fleet& fleet, const std::string& name) {
  return std::ranges::any_of(fleet.actors(), [&](const Fleet::Actor& actor) {
    if (actor.node == nullptr) return false;
    const Node* node = actor.node->serf().memberlist().nodes().find(name);
    return node != nullptr && node->record.state != NodeState::Alive;
  });
}

// Kills so many at once and follows what becomes of them.
void kill_and_watch(Fleet& fleet, std::size_t count, std::vector<Death>& deaths) {
  std::map<std::size_t, Death> watched;
  while (watched.size() < count) {
    const std::size_t victim = fleet.any_running();
    fleet.crash(victim);
    watched[victim];
  }
  const Duration began = fleet.now();
  fleet.on_change([&](std::size_t, std::size_t of, MemberEvent::Type type) {
    const auto death = watched.find(of);
    if (death == watched.end()) fail_simulation("a living member was declared dead");
    if (type != MemberEvent::Type::Failed) return;
    death->second.known_last = fleet.now() - began;
    if (++death->second.known == 1) death->second.declared = fleet.now() - began;
  });
  // In small steps: the first suspicion is no event and has to be looked for.
  const bool all_know = fleet.run_until(
      [&] {
        for (auto& [victim, death] : watched) {
          if (death.suspected || !is_suspected(fleet, fleet.actors()[victim].name)) continue;
          death.suspected = fleet.now() - began;
        }
        return std::ranges::all_of(
            watched, [&](const auto& entry) { return entry.second.known == fleet.running(); });
      },
      minutes(5));
  fleet.on_change({});
  if (!all_know) fail_simulation("not all heard of a death");
  for (const auto& [victim, death] : watched) deaths.push_back(death);
}

}  // namespace

void run_kill(const Wish&, Fleet& fleet) {
  const std::size_t at_once = std::max<std::size_t>(1, fleet.running() / 50);
  constexpr int kTimes = 5;
  std::vector<Death> deaths;
  const auto before = fleet.traffic();
  const Duration began = fleet.now();
  const double running = double(fleet.running());
  Duration watched{};
  for (int i = 0; i < kTimes; ++i) {
    kill_and_watch(fleet, at_once, deaths);
    watched = fleet.now() - began;
    fleet.settle(minutes(2));
  }
  const auto after = fleet.traffic();
  Samples suspected;
  Samples declared;
  Samples spread;
  Samples known;
  for (const Death& death : deaths) {
    suspected.add(*death.suspected);
    declared.add(*death.declared);
    spread.add(death.known_last - *death.declared);
    known.add(death.known_last);
  }
  print_row("first suspicion, mean", suspected.mean(), "s",
            std::to_string(deaths.size()) + " deaths, " + std::to_string(at_once) + " at once");
  print_row("first suspicion, median", suspected.quantile(0.5), "s");
  print_row("first suspicion, worst", suspected.most(), "s");
  print_row("first declaration, median", declared.quantile(0.5), "s");
  print_row("first declaration, worst", declared.most(), "s");
  print_row("from the first declaration until all know, median", spread.quantile(0.5), "s");
  print_row("until all know, median", known.quantile(0.5), "s");
  print_row("until all know, worst", known.most(), "s");
  print_row(
      "bytes in packets meanwhile",
      double(after.packet_bytes_out - before.packet_bytes_out) / in_seconds(watched) / running,
      "per member and s");
}

void run_partition(const Wish&, Fleet& fleet) {
  constexpr Duration kApart = seconds(60);
  fleet.set_quiet(false);
  std::size_t sides[2] = {};
  for (const Fleet::Actor& actor : fleet.actors()) {
    const bool side = 2 * number_of(actor.name) < fleet.actors().size();
    fleet.network().set_group(actor.endpoint, side ? 1 : 0);
    if (actor.life == Life::Running) ++sides[side ? 1 : 0];
  }
  std::uint64_t failures = 0;
  fleet.on_change([&](std::size_t, std::size_t, MemberEvent::Type type) {
    if (type == MemberEvent::Type::Failed) ++failures;
  });
  fleet.run(kApart);
  for (const Fleet::Actor& actor : fleet.actors()) fleet.network().set_group(actor.endpoint, 0);
  fleet.set_quiet(true);
  print_row("apart for", in_seconds(kApart), "s");
  print_row("members of the other half that were given up",
            double(failures) / double(2 * sides[0] * sides[1]), "of 1");
  fleet.on_change({});
  const double healed = in_seconds(fleet.settle(minutes(5)));
  print_row("from the end of the partition until all see all", healed, "s");
}

namespace {

// One thing that happens to a cluster.
void disturb(Fleet& fleet, std::size_t members, std::map<std::string, int>& counts) {
  std::vector<std::size_t> crashed;
  for (std::size_t i = 0; i < fleet.actors().size(); ++i) {
    if (fleet.actors()[i].life == Life::Crashed) crashed.push_back(i);
  }
  const std::uint64_t what = fleet.random().below(4);
  if (what == 0 && fleet.actors().size() < members + members / 2) {
    const std::size_t old = fleet.any_running();
    fleet.join(fleet.start(), old);
    ++counts["joins"];
  } else if (what == 1 && fleet.running() > members / 2) {
    fleet.leave(fleet.any_running());
    ++counts["leaves"];
  } else if (what == 2 && fleet.running() > members / 2) {
    fleet.crash(fleet.any_running());
    ++counts["crashes"];
  } else if (what == 3 && !crashed.empty()) {
    const std::size_t old = fleet.any_running();
    const std::size_t member = crashed[fleet.random().below(crashed.size())];
    fleet.restart(member);
    fleet.join(member, old);
    ++counts["restarts"];
  }
}

}  // namespace

void run_churn(const Wish& wish, Fleet& fleet) {
  std::uint64_t false_failures = 0;
  fleet.on_change([&](std::size_t, std::size_t of, MemberEvent::Type type) {
    const bool is_running = fleet.actors()[of].life == Life::Running;
    if (type == MemberEvent::Type::Failed && is_running) ++false_failures;
  });
  std::map<std::string, int> counts;
  const Duration end = fleet.now() + wish.length;
  while (fleet.now() < end) {
    disturb(fleet, wish.members, counts);
    fleet.run(milliseconds(200 + static_cast<std::int64_t>(fleet.random().below(2000))));
  }
  const double healed = in_seconds(fleet.settle(minutes(5)));
  fleet.on_change({});
  for (const auto& [what, count] : counts) print_row(what, count, "");
  print_row("running members that were seen to fail", double(false_failures), "",
            "just restarted ones among them");
  print_row("from the last change until all are right", healed, "s");
}

}  // namespace dkron::gossip_sim
