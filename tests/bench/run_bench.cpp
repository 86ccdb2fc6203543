// Runs through the shell executor, /bin/true, all due at the same second, on one node.
#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <cstdio>
#include <map>

#include "base/clock.h"
#include "base/time.h"
#include "benches.h"
#include "http_load.h"
#include "report.h"
#include "server_process.h"

namespace dkron::bench {
namespace {

namespace json = boost::json;

constexpr int kAtOnce = 32;

void create_jobs(const ServerProcess& server, int count, const std::string& schedule) {
  LoadOptions load;
  load.port = server.port();
  load.connections = std::min(count, 16);
  load.requests = static_cast<std::uint64_t>(count);
  load.make_request = [&](std::uint64_t i) {
    return make_post("/v1/jobs", "{\"name\":\"run-" + std::to_string(i) + "\",\"schedule\":\"" +
                                     schedule +
                                     "\",\"executor\":\"shell\",\"keep_executions\":1000,"
                                     "\"executor_config\":{\"command\":\"/bin/true\"}}");
  };
  run_load(load);
}

struct Runs {
  std::vector<double> lags_ms;           // Sorted.
  std::map<std::string, int> outcomes;   // Of the ledger, by outcome and reason.
  std::size_t unfinished_in_second = 0;  // Runs that ended behind the next second.
  std::size_t failed = 0;
  double lag_ms(double p) const {
    return lags_ms.empty()
               ? 0
               : lags_ms[static_cast<std::size_t>(p * static_cast<double>(lags_ms.size() - 1))];
  }
};

Instant time_of(const json::object& object, const char* name) {
  return parse_rfc3339(std::string_view(object.at(name).as_string())).value_or(Instant());
}

json::array get_list(const ServerProcess& server, const std::string& path) {
  return json::parse(fetch(server.port(), make_get(path))).as_array();
}

// What became of the jobs' instants in [from, to).
Runs read_runs(const ServerProcess& server, int jobs, Instant from, Instant to) {
  Runs runs;
  for (int i = 0; i < jobs; ++i) {
    const std::string path = "/v1/jobs/run-" + std::to_string(i);
    for (const json::value& value : get_list(server, path + "/executions?output_size_limit=1")) {
      const json::object& e = value.as_object();
      const Instant scheduled = time_of(e, "scheduled_at");
      const Instant finished = time_of(e, "finished_at");
      if (scheduled < from || scheduled >= to || finished.is_zero()) continue;
      runs.lags_ms.push_back(
          std::chrono::duration<double, std::milli>(time_of(e, "started_at") - scheduled).count());
      if (finished - scheduled >= seconds(1)) ++runs.unfinished_in_second;
      if (!e.at("success").as_bool()) ++runs.failed;
    }
    for (const json::value& value : get_list(server, path + "/ledger?_start=0&_end=1000")) {
      const json::object& row = value.as_object();
      const Instant at = time_of(row, "scheduled_at");
      if (at < from || at >= to) continue;
      std::string key(row.at("outcome").as_string());
      if (!row.at("reason").as_string().empty())
        key += " (" + std::string(row.at("reason").as_string()) + ")";
      runs.outcomes[key] += static_cast<int>(row.at("count").as_int64());
    }
  }
  std::sort(runs.lags_ms.begin(), runs.lags_ms.end());
  return runs;
}

Instant now() {
  return system_clock().wall();
}

std::string describe(const std::map<std::string, int>& outcomes) {
  std::string text;
  for (const auto& [outcome, count] : outcomes)
    text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + outcome;
  return text;
}

// `jobs` jobs, each due every second, for `duration_s`; gives what the instants came to.
Runs measure(const ServerProcess& server, int jobs, double duration_s) {
  create_jobs(server, jobs, "* * * * * *");
  wait_seconds(2);
  const Instant from = now();
  wait_seconds(duration_s);
  const Instant to = now() - seconds(2);
  return read_runs(server, jobs, from, to);
}

void bench_burst(const BenchOptions& options, int jobs, double raw, const char* original) {
  ServerProcess server(options.server);
  const double duration_s = options.is_long ? 600 : 15;
  create_jobs(server, jobs, "* * * * * *");
  wait_seconds(3);
  const double resident_before = server.resident_mb();
  const double cpu_before = server.cpu_seconds();
  const Instant from = now();
  wait_seconds(duration_s);
  const Instant to = now() - seconds(2);
  const double cpu = server.cpu_seconds() - cpu_before;
  const double resident_after = server.resident_mb();
  const Runs runs = read_runs(server, jobs, from, to);
  const std::string name = std::to_string(jobs) + " jobs every second";
  report(name + ", start lag p99", runs.lag_ms(0.99), "ms", 2 * jobs / raw * 1000, -1, original);
  report(name + ", start lag p50", runs.lag_ms(0.5), "ms", 0, 0);
  report(name + ", ended behind their second", static_cast<double>(runs.unfinished_in_second), "",
         0, -1);
  report(name + ", server CPU per run", cpu / (jobs * duration_s) * 1e6, "us", 0, 0);
  report(name + ", growth of resident memory", resident_after - resident_before, "MB", 0, 0);
  note(name + ": " + describe(runs.outcomes) + ", " + std::to_string(runs.failed) + " failed");
}

}  // namespace

void bench_runs(const BenchOptions& options) {
  const double raw = raw_spawn_rate(4'000, kAtOnce);
  report("raw rate of this machine (posix_spawn, 32 at once)", raw, "/s", 0, 0);
  {
    ServerProcess server(options.server);
    const Runs runs = measure(server, 1, options.is_long ? 600 : 30);
    report("1 job every second, start lag p99", runs.lag_ms(0.99), "ms", 5, -1);
    report("1 job every second, start lag p50", runs.lag_ms(0.5), "ms", 0, 0);
  }
  bench_burst(options, 100, raw, "303");
  bench_burst(options, 300, raw, "seconds");
  bench_burst(options, 1'000, raw, "exits");
}

void bench_overload(const BenchOptions& options) {
  const double raw = raw_spawn_rate(4'000, kAtOnce);
  constexpr int kJobs = 5'000;
  ServerProcess server(options.server, std::vector<std::string>{"--enable-prometheus"});
  create_jobs(server, kJobs, "* * * * * *");
  wait_seconds(3);
  const auto gauge = [&server](const std::string& name) {
    const std::string text = fetch(server.port(), make_get("/metrics"));
    const auto at = text.find("\n" + name + " ");
    return at == std::string::npos ? 0 : std::atof(text.c_str() + at + name.size() + 2);
  };
  const auto finished = [&server] {
    const std::string text = fetch(server.port(), make_get("/metrics"));
    double total = 0;
    for (auto at = text.find("\ndkron_job_executions_succeeded_total{"); at != std::string::npos;
         at = text.find("\ndkron_job_executions_succeeded_total{", at + 1)) {
      total += std::atof(text.c_str() + text.find("} ", at) + 2);
    }
    return total;
  };
  const double before = finished();
  const auto start = std::chrono::steady_clock::now();
  wait_seconds(options.is_long ? 600 : 20);
  const double rate =
      (finished() - before) /
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  report("5,000 jobs every second (overload), runs", rate, "/s", 0.6 * raw, 1, "exits");
  report("the same as a share of the raw rate", 100 * rate / raw, "%", 60, 1);
  report("instants recorded as missed (overload)",
         gauge("dkron_instants_without_run_total{reason=\"overload\"}"), "", 0, 0);
  report("resident in overload", server.resident_mb(), "MB", 0, 0);
  // Without its cause the overload ends by itself.
  LoadOptions load;
  load.port = server.port();
  load.connections = 8;
  load.requests = kJobs - 100;
  load.make_request = [](std::uint64_t i) {
    return make_post("/v1/jobs/run-" + std::to_string(100 + i) + "/toggle?disabled=true", "");
  };
  run_load(load);
  const auto eased = std::chrono::steady_clock::now();
  while (gauge("dkron_runs_waiting") > 0 || gauge("dkron_jobs_held_back") > 0) {
    if (std::chrono::steady_clock::now() - eased > std::chrono::seconds(120)) break;
    wait_seconds(0.2);
  }
  report("backlog gone behind the overload",
         std::chrono::duration<double>(std::chrono::steady_clock::now() - eased).count(), "s", 0,
         0);
  const Instant calm = now();
  wait_seconds(8);
  const Runs after = read_runs(server, 100, calm + seconds(1), now() - seconds(2));
  report("100 jobs left after the overload, start lag p99", after.lag_ms(0.99), "ms",
         2 * 100 / raw * 1000, -1);
  note("after the overload: " + describe(after.outcomes));
}

void bench_idle(const BenchOptions& options) {
  ServerProcess server(options.server);
  wait_seconds(3);
  const double before = server.cpu_seconds();
  constexpr double kSeconds = 20;
  wait_seconds(kSeconds);
  report("idle, resident", server.resident_mb(), "MB", 40, -1, "75");
  report("idle, CPU", (server.cpu_seconds() - before) / kSeconds * 100, "%", 0.5, -1);
}

}  // namespace dkron::bench
