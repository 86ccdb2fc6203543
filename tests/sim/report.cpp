#include "report.h"

#include <cstdio>
#include <cstdlib>

namespace dkron::sim {
namespace {

std::uint64_t seed_now = 0;
std::uint64_t minutes_now = 0;

}  // namespace

void name_simulation(std::uint64_t seed, std::uint64_t minutes) {
  seed_now = seed;
  minutes_now = minutes;
}

void fail_simulation(const std::string& what) {
  std::fflush(stdout);
  std::fprintf(
      stderr, "FAILED with seed %llu: %s\nsee it again: dkron_sim --seed=%llu --minutes=%llu\n",
      static_cast<unsigned long long>(seed_now), what.c_str(),
      static_cast<unsigned long long>(seed_now), static_cast<unsigned long long>(minutes_now));
  // Nothing is worth an orderly end; objects in the middle of a step are not.
  std::_Exit(1);
}

}  // namespace dkron::sim
