// Gossip: large clusters in the simulation, and a small one over real sockets in this process.
#include <sys/resource.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "benches.h"
#include "gossip/service.h"
#include "report.h"

namespace dkron::bench {
namespace {

using gossip::Service;

constexpr int kMembers = 20;

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

std::unique_ptr<Service> start_member(net::Loop& loop, int number) {
  const gossip::Endpoint any_port{*gossip::Ip::parse("127.0.0.1"), 0};
  Service::Options options;
  options.bind = any_port;
  options.serf.name = "m" + std::to_string(number);
  options.serf.advertise = any_port;
  options.serf.tags = {{"role", "dkron"},    {"dc", "dc1"},      {"region", "global"},
                       {"version", "4.1.2"}, {"server", "true"}, {"expect", "3"},
                       {"port", "6868"}};
  auto service = Service::start(loop, system_clock(), std::move(options), {});
  if (!service) {
    note("gossip over sockets cannot start: " + service.error().message);
    std::exit(1);
  }
  return std::move(*service);
}

struct Sum {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  std::uint64_t deaths = 0;
  bool is_whole = true;
};

Sum count(const std::vector<std::unique_ptr<Service>>& members) {
  Sum sum;
  for (const auto& member : members) {
    const auto& counters = member->serf().memberlist().counters();
    sum.packets += counters.packets_out;
    sum.bytes += counters.bytes_out;
    sum.deaths += counters.deaths;
    const auto& table = member->serf().member_table();
    sum.is_whole &= table.count(gossip::MemberStatus::Alive) == members.size();
  }
  return sum;
}

void run_for(net::Loop& loop, Duration duration) {
  const auto timer = loop.make_timer();
  timer->start(duration, [&loop] { loop.stop(); });
  loop.run();
}

void bench_sockets(Duration duration) {
  net::Loop loop;
  std::vector<std::unique_ptr<Service>> members;
  for (int i = 0; i < kMembers; ++i) members.push_back(start_member(loop, i));
  for (int i = 1; i < kMembers; ++i) {
    members[static_cast<std::size_t>(i)]->serf().join({members[0]->local()}, false,
                                                      [](const Result<std::size_t>&) {});
  }
  run_for(loop, seconds(10));
  const Sum before = count(members);
  const double cpu_before = cpu_seconds();
  run_for(loop, duration);
  const Sum after = count(members);
  const double member_seconds = std::chrono::duration<double>(duration).count() * kMembers;
  report("20 members over sockets, packets per member and s",
         double(after.packets - before.packets) / member_seconds, "", 0, 0);
  report("20 members over sockets, bytes per member and s",
         double(after.bytes - before.bytes) / member_seconds, "", 0, 0);
  report("20 members over sockets, CPU per member and s",
         (cpu_seconds() - cpu_before) * 1e6 / member_seconds, "us", 1000, -1);
  report("20 members over sockets, declared dead wrongly", double(after.deaths), "", 0, -1);
  if (!after.is_whole) note("the members did not all find each other");
}

void run_simulation(const BenchOptions& options, const std::string& arguments) {
  const auto program =
      std::filesystem::path(options.server).parent_path() / "tests/gossip_sim/dkron_gossip_sim";
  const std::string command = "\"" + program.string() + "\" " + arguments;
  if (std::system(command.c_str()) != 0) note("failed: " + command);
}

}  // namespace

void bench_gossip(const BenchOptions& options) {
  log::set_level(log::Level::Error);
  run_simulation(options, "--members=200 --seed=1 --scenario=newcomer,steady --profile");
  if (options.is_long) {
    run_simulation(options, "--members=2000 --seed=1 --scenario=newcomer,steady --profile");
  }
  bench_sockets(options.is_long ? minutes(10) : seconds(30));
}

}  // namespace dkron::bench
