// dkron_bench --server=PATH [--long] [NAME ...]: measures and prints one table.
#include <cstdio>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "benches.h"

int main(int argc, char** argv) {
  using dkron::bench::BenchOptions;
  const std::vector<std::pair<std::string, std::function<void(const BenchOptions&)>>> benches = {
      {"idle", dkron::bench::bench_idle},         {"create", dkron::bench::bench_create},
      {"list", dkron::bench::bench_list},         {"runs", dkron::bench::bench_runs},
      {"overload", dkron::bench::bench_overload}, {"million", dkron::bench::bench_million},
      {"gossip", dkron::bench::bench_gossip},     {"cluster", dkron::bench::bench_cluster},
  };
  BenchOptions options;
  std::vector<std::string> wanted;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word.rfind("--server=", 0) == 0) {
      options.server = word.substr(9);
    } else if (word == "--long") {
      options.is_long = true;
    } else {
      wanted.push_back(word);
    }
  }
  if (options.server.empty()) {
    std::fprintf(stderr,
                 "usage: dkron_bench --server=PATH [--long] "
                 "[idle|create|list|runs|overload|million|gossip|cluster ...]\n");
    return 2;
  }
  std::printf("%-52s %12s %-6s %12s %-8s %s\n", "what", "measured", "", "aim", "", "original");
  for (const auto& [name, bench] : benches) {
    bool is_wanted = wanted.empty();
    for (const auto& word : wanted) is_wanted = is_wanted || word == name;
    if (is_wanted) bench(options);
  }
  return 0;
}
