// Three servers on one machine: creating jobs through the leader and through a follower, and how
// long the cluster launches nothing when its leader is killed.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "base/clock.h"
#include "benches.h"
#include "http_load.h"
#include "report.h"
#include "server_process.h"

namespace dkron::bench {
namespace {

namespace json = boost::json;

constexpr int kServers = 3;
constexpr double kLeaderLimitSeconds = 30;
constexpr std::uint64_t kCreateLimit = 60'000;

double now_seconds() {
  return static_cast<double>(system_clock().wall().unix_nanos()) / 1e9;
}

class Cluster {
 public:
  explicit Cluster(const std::string& binary) {
    const std::string network = "127." + std::to_string(100 + ::getpid() % 100) + "." +
                                std::to_string(::getpid() / 100 % 250) + ".";
    std::vector<std::string> ips;
    for (int i = 1; i <= kServers; ++i) ips.push_back(network + std::to_string(i));
    for (int i = 0; i < kServers; ++i) {
      nodes_[i] = std::make_unique<ServerProcess>(
          binary, ServerProcess::Place{"s" + std::to_string(i + 1), ips[i], true, kServers, ips});
    }
    wait_leader(-1);
  }

  // The index of the leader on which all nodes but `dead` agree.
  int wait_leader(int dead) {
    const double until = now_seconds() + kLeaderLimitSeconds;
    while (now_seconds() < until) {
      std::string leader;
      bool agreed = true;
      for (int i = 0; i < kServers; ++i) {
        if (i == dead) continue;
        const std::string answer = fetch(nodes_[i]->port(), make_get("/health/ready"));
        const std::string mark = "\"leader\":\"";
        const auto at = answer.find(mark);
        const std::string name =
            at == answer.npos ? ""
                              : answer.substr(at + mark.size(), answer.find('"', at + mark.size()) -
                                                                    at - mark.size());
        agreed = agreed && !name.empty() && (leader.empty() || leader == name);
        leader = name;
      }
      if (agreed && dead != index_of(leader)) return index_of(leader);
      wait_seconds(0.005);
    }
    std::fprintf(stderr, "bench: the cluster has no leader\n");
    std::exit(1);
  }

  ServerProcess& operator[](int i) { return *nodes_[i]; }

 private:
  static int index_of(const std::string& name) { return name.empty() ? -1 : name[1] - '1'; }
  std::array<std::unique_ptr<ServerProcess>, kServers> nodes_;
};

LoadResult create(const ServerProcess& server, const std::string& prefix, int connections) {
  LoadOptions load;
  load.port = server.port();
  load.connections = connections;
  load.requests = kCreateLimit;
  load.seconds = 6;
  load.make_request = [&prefix](std::uint64_t i) {
    return make_post("/v1/jobs", "{\"name\":\"" + prefix + std::to_string(i) +
                                     "\",\"schedule\":\"0 0 3 1 1 *\",\"executor\":\"shell\","
                                     "\"executor_config\":{\"command\":\"/bin/true\"}}");
  };
  LoadResult result = run_load(load);
  if (result.errors > 0) note("errors while creating: " + result.first_error);
  return result;
}

json::array parse_rows(const std::string& text) {
  boost::system::error_code error;
  const json::value value = json::parse(text, error);
  return !error && value.is_array() ? value.get_array() : json::array();
}

// Instants of the job without a run.
int count_missed(const ServerProcess& server) {
  int missed = 0;
  const std::string text =
      fetch(server.port(), make_get("/v1/jobs/tick/ledger?_start=0&_end=1000"));
  for (const json::value& row : parse_rows(text)) {
    const std::string outcome(row.at("outcome").as_string());
    if (outcome != "launched" && outcome != "late") ++missed;
  }
  return missed;
}

// When the first run behind `since` started, Unix seconds.
double first_start(const ServerProcess& server, double since) {
  const double until = now_seconds() + kLeaderLimitSeconds;
  while (now_seconds() < until) {
    const std::string text = fetch(server.port(), make_get("/v1/jobs/tick/executions"));
    double first = 0;
    for (const json::value& row : parse_rows(text)) {
      // The id begins with the start in nanoseconds.
      const double at = std::strtod(row.at("id").as_string().c_str(), nullptr) / 1e9;
      if (at > since && (first == 0 || at < first)) first = at;
    }
    if (first > 0) return first;
    wait_seconds(0.005);
  }
  return since + kLeaderLimitSeconds;
}

}  // namespace

void bench_cluster(const BenchOptions& options) {
  Cluster cluster(options.server);
  int leader = cluster.wait_leader(-1);
  const int follower = (leader + 1) % kServers;
  report("3 servers: resident, idle leader", cluster[leader].resident_mb(), "MB", 45, -1, "75");
  report("3 servers: resident, idle follower", cluster[follower].resident_mb(), "MB", 45, -1, "75");
  const LoadResult one = create(cluster[leader], "one-", 1);
  report("3 servers: create through the leader, 1 client, p99", one.percentile_ms(0.99), "ms", 0,
         0);
  report("3 servers: create through the leader, 32 clients",
         create(cluster[leader], "leader-", 32).rate(), "/s", 10'000, 1, "736");
  report("3 servers: create through a follower, 32 clients",
         create(cluster[follower], "follower-", 32).rate(), "/s", 10'000, 1, "766");

  fetch(cluster[leader].port(),
        make_post("/v1/jobs",
                  "{\"name\":\"tick\",\"schedule\":\"@every 1s\",\"executor\":\"shell\","
                  "\"executor_config\":{\"command\":\"/bin/true\"},\"keep_executions\":1000,"
                  "\"missed_runs\":{\"policy\":\"all\",\"window\":\"60s\"}}"));
  std::vector<double> gaps;
  for (int round = 0; round < (options.is_long ? 50 : 10); ++round) {
    leader = cluster.wait_leader(-1);
    wait_seconds(0.7 + round * 137 % 1000 / 1000.0);  // Anywhere between two instants.
    const double killed = now_seconds();
    cluster[leader].kill();
    const int next = cluster.wait_leader(leader);
    gaps.push_back(first_start(cluster[next], killed) - killed);
    cluster[leader].revive();
  }
  std::sort(gaps.begin(), gaps.end());
  report("leader killed until the next run starts, median", gaps[gaps.size() / 2], "s", 1.5, -1,
         "2.72");
  report("leader killed until the next run starts, worst", gaps.back(), "s", 0, 0);
  leader = cluster.wait_leader(-1);
  report("instants that were not launched (policy all)", count_missed(cluster[leader]), "", 0, -1,
         "1-2 a fail-over");
}

}  // namespace dkron::bench
