#include "report.h"

#include <cstdio>
#include <cstdlib>

namespace dkron::sim {
namespace {

std::uint64_t seed_now = 0;

}  // namespace

void name_simulation(std::uint64_t seed) { seed_now = seed; }

void fail_simulation(const std::string& what) {
  std::fflush(stdout);
  std::fprintf(stderr, "FAILED with seed %llu: %s\nsee it again: dkron_sim --seed=%llu\n",
               static_cast<unsigned long long>(seed_now), what.c_str(),
               static_cast<unsigned long long>(seed_now));
  // Nothing is worth an orderly end; objects in the middle of a step are not.
  std::_Exit(1);
}

}  // namespace dkron::sim
