// Creating and listing jobs over REST.
#include <chrono>
#include <cstdio>

#include "benches.h"
#include "http_load.h"
#include "report.h"
#include "server_process.h"

namespace dkron::bench {
namespace {

std::string job_body(std::uint64_t i) {
  return "{\"name\":\"job-" + std::to_string(i) +
         "\",\"schedule\":\"0 0 3 1 1 "
         "*\",\"executor\":\"shell\",\"executor_config\":{\"command\":\"/bin/true\"}}";
}

LoadResult create(const ServerProcess& server, int connections, std::uint64_t from,
                  std::uint64_t count, double seconds) {
  LoadOptions load;
  load.port = server.port();
  load.connections = connections;
  load.requests = count;
  load.seconds = seconds;
  load.make_request = [from](std::uint64_t i) { return make_post("/v1/jobs", job_body(from + i)); };
  LoadResult result = run_load(load);
  if (result.errors > 0)
    note("errors while creating: " + std::to_string(result.errors) + ", " + result.first_error);
  return result;
}

LoadResult get_many(const ServerProcess& server, const std::string& path, int connections,
                    std::uint64_t count, double seconds) {
  LoadOptions load;
  load.port = server.port();
  load.connections = connections;
  load.requests = count;
  load.seconds = seconds;
  load.make_request = [request = make_get(path)](std::uint64_t) { return request; };
  LoadResult result = run_load(load);
  if (result.errors > 0) note("errors on " + path + ": " + result.first_error);
  return result;
}

}  // namespace

void bench_create(const BenchOptions& options) {
  const double raw = raw_sync_rate(2);
  report("raw rate of this disk (4 KiB, fdatasync)", raw, "/s", 0, 0);
  ServerProcess server(options.server);
  create(server, 1, 0, 200, 5);  // Warm.
  const LoadResult one = create(server, 1, 1'000'000, 20'000, 5);
  report("create, 1 client", one.rate(), "/s", 2'500, 1, "392");
  report("the same as a share of the raw rate", 100 * one.rate() / raw, "%", 0, 0);
  report("create, 1 client, p99", one.percentile_ms(0.99), "ms", 0, 0);
  const LoadResult many = create(server, 32, 2'000'000, 150'000, 8);
  report("create, 32 clients", many.rate(), "/s", 15'000, 1, "954");
  report("create, 32 clients, p99", many.percentile_ms(0.99), "ms", 0, 0);
}

void bench_list(const BenchOptions& options) {
  const std::string page = "/v1/jobs?_start=0&_end=50";
  ServerProcess server(options.server);
  create(server, 32, 0, 10'000, 60);
  get_many(server, page, 1, 500, 5);
  report("list of 50 out of 10,000, p50", get_many(server, page, 1, 20'000, 4).percentile_ms(0.5),
         "ms", 1, -1, "42");
  report("list of 50 out of 10,000, 32 clients", get_many(server, page, 32, 200'000, 5).rate(),
         "/s", 5'000, 1, "31");
  const LoadResult whole = get_many(server, "/v1/jobs", 1, 500, 5);
  report("whole list of 10,000", whole.rate(), "/s", 60, 1, "17");
  create(server, 32, 10'000, 90'000, 120);
  get_many(server, page, 1, 500, 5);
  report("list of 50 out of 100,000, p50", get_many(server, page, 1, 20'000, 4).percentile_ms(0.5),
         "ms", 3, -1);
  report("list of 50 out of 100,000, 32 clients", get_many(server, page, 32, 200'000, 5).rate(),
         "/s", 5'000, 1);
  const std::string sorted = "/v1/jobs?_start=0&_end=50&_sort=success_count&_order=DESC";
  report("sorted list of 50 out of 100,000, p50",
         get_many(server, sorted, 1, 200, 5).percentile_ms(0.5), "ms", 0, 0);
  report("resident with 100,000 jobs", server.resident_mb(), "MB", 0, 0);
}

namespace {

constexpr std::uint64_t kMillion = 1'000'000;
constexpr double kMillionLimitSeconds = 1'800;

std::string runs_of(const ServerProcess& server, const std::string& job) {
  const std::string body = fetch(server.port(), make_get("/v1/jobs/" + job));
  const std::string key = "\"success_count\":";
  const auto at = body.find(key);
  if (at == std::string::npos) return "";
  return body.substr(at + key.size(), body.find(',', at) - at - key.size());
}

// Seconds until a job that is due every second has run once more than it had.
double seconds_to_tick(const ServerProcess& server) {
  constexpr int kPolls = 6'000;
  const auto began = std::chrono::steady_clock::now();
  const std::string before = runs_of(server, "tick");
  for (int i = 0; i < kPolls && runs_of(server, "tick") == before; ++i) {
    wait_seconds(0.01);
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

}  // namespace

void bench_million(const BenchOptions& options) {
  ServerProcess server(options.server);
  const LoadResult created = create(server, 32, 0, kMillion, kMillionLimitSeconds);
  const std::uint64_t jobs = created.answers - created.errors;
  note(std::to_string(jobs) + " jobs created at " +
       std::to_string(static_cast<int>(created.rate())) + "/s");
  if (jobs < kMillion) note("the million was not reached in time: what follows is of fewer jobs");
  const std::string stored = " with " + std::to_string(jobs) + " jobs";
  report("resident" + stored, server.resident_mb(), "MB", 1'200, -1);
  fetch(server.port(),
        make_post("/v1/jobs",
                  "{\"name\":\"tick\",\"schedule\":\"* * * * * *\",\"executor\":\"shell\","
                  "\"executor_config\":{\"command\":\"/bin/true\"}}"));
  const double until_leading = server.restart();
  report("restart" + stored + " until it leads", until_leading, "s", 0, 0);
  report("restart" + stored + " until the first tick", until_leading + seconds_to_tick(server), "s",
         8, -1);
  report("resident behind the restart", server.resident_mb(), "MB", 1'200, -1);
}

}  // namespace dkron::bench
