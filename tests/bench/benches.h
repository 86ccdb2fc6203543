// The measurements; each starts a server of its own.
#pragma once

#include <string>

namespace dkron::bench {

struct BenchOptions {
  std::string server;    // The program to measure.
  bool is_long = false;  // Ten minutes for what is otherwise twenty seconds.
};

void bench_create(const BenchOptions& options);
void bench_list(const BenchOptions& options);
void bench_runs(const BenchOptions& options);
void bench_overload(const BenchOptions& options);
void bench_million(const BenchOptions& options);
void bench_idle(const BenchOptions& options);
void bench_cluster(const BenchOptions& options);
void bench_gossip(const BenchOptions& options);

}  // namespace dkron::bench
