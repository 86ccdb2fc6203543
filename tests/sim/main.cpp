// dkron_sim: runs simulations by seed. A failure prints the seed that shows it again.
//
//   --seeds=N     the seeds 1..N, then a random one
//   --seed=S      that one only (or SEED=S in the environment)
//   --seconds=T   random seeds for so long
//   --minutes=M   virtual minutes of trouble in each (default 10)
//   --job=NAME    every command that touches that job, on stderr
//   --verbose     the program's own log lines on stderr
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/log.h"
#include "report.h"
#include "simulation.h"

namespace dkron::sim {
namespace {

struct Wish {
  std::uint64_t seeds = 0;
  std::uint64_t seed = 0;
  std::uint64_t seconds = 0;
  std::uint64_t minutes = 10;
  std::string job;
  bool verbose = false;
};

bool read_number(const char* argument, const char* name, std::uint64_t* value) {
  const std::size_t length = std::strlen(name);
  if (std::strncmp(argument, name, length) != 0 || argument[length] != '=') return false;
  char* end = nullptr;
  *value = std::strtoull(argument + length + 1, &end, 10);
  return *end == '\0' && end != argument + length + 1;
}

bool read_wish(int argc, char** argv, Wish* wish) {
  if (const char* seed = std::getenv("SEED")) wish->seed = std::strtoull(seed, nullptr, 10);
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--verbose") == 0) {
      wish->verbose = true;
    } else if (std::strncmp(argv[i], "--job=", 6) == 0) {
      wish->job = argv[i] + 6;
    } else if (!read_number(argv[i], "--seeds", &wish->seeds) &&
               !read_number(argv[i], "--seed", &wish->seed) &&
               !read_number(argv[i], "--seconds", &wish->seconds) &&
               !read_number(argv[i], "--minutes", &wish->minutes)) {
      std::fprintf(
          stderr,
          "usage: dkron_sim [--seeds=N | --seed=S | --seconds=T] [--minutes=M] [--job=NAME] "
          "[--verbose]\n");
      return false;
    }
  }
  return true;
}

std::uint64_t any_seed() {
  // Short, so that people can type it.
  return 1 + system_random().below(1'000'000'000);
}

void run(std::uint64_t seed, const Wish& wish, Summary* total) {
  name_simulation(seed, wish.minutes);
  std::printf("seed %llu ", static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  Simulation simulation(seed, minutes(static_cast<std::int64_t>(wish.minutes)));
  simulation.trace(wish.job);
  const Summary s = simulation.run();
  std::printf("%s: %s\n", format_duration(s.simulated).c_str(), describe(s).c_str());
  *total += s;
}

int run_all(const Wish& wish) {
  Summary total;
  if (wish.seed != 0) {
    run(wish.seed, wish, &total);
    return 0;
  }
  std::uint64_t done = 0;
  for (; done < wish.seeds; ++done) run(done + 1, wish, &total);
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(wish.seconds);
  do {
    run(any_seed(), wish, &total);
    ++done;
  } while (std::chrono::steady_clock::now() < until);
  std::printf("%llu seeds, %s of virtual time: %s\n", static_cast<unsigned long long>(done),
              format_duration(total.simulated).c_str(), describe(total).c_str());
  return 0;
}

}  // namespace
}  // namespace dkron::sim

int main(int argc, char** argv) {
  dkron::sim::Wish wish;
  if (!dkron::sim::read_wish(argc, argv, &wish)) return 2;
  if (!wish.verbose) dkron::log::set_level(dkron::log::Level::Fatal);
  return dkron::sim::run_all(wish);
}
