// Clusters that form, grow, and live on quietly.
#include <string>

#include "fleet.h"
#include "report.h"
#include "scenarios.h"

namespace dkron::gossip_sim {
namespace {

double per_member(double count, const Fleet& fleet) {
  return count / static_cast<double>(fleet.running());
}

}  // namespace

void run_join(const Wish& wish, Fleet& fleet) {
  const Duration cpu_before = cpu_time();
  for (std::size_t i = 0; i < wish.members; ++i) fleet.start();
  for (std::size_t i = 1; i < wish.members; ++i) fleet.join(i, 0);
  if (!fleet.run_until([&] { return fleet.is_whole(); }, minutes(5))) {
    fail_simulation("the members did not find each other");
  }
  const auto traffic = fleet.traffic();
  print_row("until everybody sees everybody", in_seconds(fleet.now()), "s");
  print_row("packets until then", per_member(double(traffic.packets_out), fleet), "per member");
  print_row("bytes in packets until then",
            per_member(double(traffic.packet_bytes_out) / 1024, fleet), "KiB per member");
  print_row("bytes in streams until then",
            per_member(double(traffic.stream_bytes_out) / 1024, fleet), "KiB per member");
  fleet.settle(minutes(5));
  print_row("until nothing is left to tell", in_seconds(fleet.now()), "s");
  print_row("CPU of all that", in_seconds(cpu_time() - cpu_before), "s");
  print_row("memory of the process at most", resident_mib(), "MiB");
}

void run_newcomer(const Wish&, Fleet& fleet) {
  constexpr int kTimes = 5;
  Samples latencies;
  Samples last;
  for (int i = 0; i < kTimes; ++i) {
    const std::size_t old = fleet.any_running();
    const std::size_t newcomer = fleet.start();
    const Duration began = fleet.now();
    Duration latest{};
    fleet.on_change([&](std::size_t viewer, std::size_t of, MemberEvent::Type type) {
      if (of != newcomer || viewer == newcomer || type != MemberEvent::Type::Join) return;
      latest = fleet.now() - began;
      latencies.add(latest);
    });
    fleet.join(newcomer, old);
    fleet.settle(minutes(2));
    last.add(latest);
    fleet.on_change({});
  }
  print_row("until one of the others knows, median", latencies.quantile(0.5), "s");
  print_row("until one of the others knows, p99", latencies.quantile(0.99), "s");
  print_row("until the last knows, median", last.quantile(0.5), "s",
            std::to_string(kTimes) + " newcomers");
  print_row("until the last knows, worst", last.most(), "s");
}

void run_steady(const Wish& wish, Fleet& fleet) {
  const auto before = fleet.traffic();
  const auto counted_before = fleet.counters();
  const Duration began = fleet.now();
  const Duration cpu_began = cpu_time();
  std::uint64_t changes = 0;
  fleet.on_change([&](std::size_t, std::size_t, MemberEvent::Type) { ++changes; });
  fleet.run(wish.length);
  fleet.on_change({});
  const Duration cpu = cpu_time() - cpu_began;
  const double member_seconds = in_seconds(fleet.now() - began) * double(fleet.running());
  const auto after = fleet.traffic();
  const auto counted = fleet.counters();
  const auto rate = [&](std::uint64_t now, std::uint64_t then) {
    return double(now - then) / member_seconds;
  };
  print_row("packets sent", rate(after.packets_out, before.packets_out), "per member and s");
  print_row("bytes in packets", rate(after.packet_bytes_out, before.packet_bytes_out),
            "per member and s", "without IP and UDP headers (28 each)");
  print_row("bytes in streams", rate(after.stream_bytes_out, before.stream_bytes_out),
            "per member and s", "exchanges of states");
  print_row("CPU", in_seconds(cpu) * 1e6 / member_seconds, "us per member and s",
            "with the simulated network and the checks");
  print_row("suspicions", double(counted.suspicions - counted_before.suspicions), "");
  print_row("false deaths", double(counted.deaths - counted_before.deaths), "");
  if (changes != 0 || counted.suspicions != counted_before.suspicions) {
    fail_simulation("members changed although nothing happened");
  }
}

}  // namespace dkron::gossip_sim
