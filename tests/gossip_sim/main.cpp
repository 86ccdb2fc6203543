// dkron_gossip_sim: large clusters of gossip under virtual time. A failure prints the seed and the
// scenario that show it again.
//
//   --members=N      (default 200)
//   --seed=S         (or SEED=S in the environment; default: by chance)
//   --scenario=NAME  one of them, or several separated by commas (default all); most go through the
//                    same cluster, one after the other
//   --minutes=M      virtual minutes of what lasts: steady state, each loss, churn (default 2)
//   --seconds=T      the same, in seconds
//   --profile        what each scenario cost
//   --verbose        the program's own log lines on stderr
#include <malloc.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "base/log.h"
#include "base/random.h"
#include "fleet.h"
#include "report.h"
#include "scenarios.h"

namespace dkron::gossip_sim {

const std::vector<Scenario>& scenarios() {
  static const std::vector<Scenario> all = {
      {"join", "all join one at once", run_join, nullptr},
      {"steady", "nothing happens", run_steady, nullptr},
      {"newcomer", "one more joins a running cluster", run_newcomer, nullptr},
      {"loss", "packets are lost", run_loss, nullptr},
      {"partition", "two halves that do not hear each other for a minute", run_partition, nullptr},
      {"kill", "members crash", run_kill, nullptr},
      {"churn", "members come, go, crash and return", run_churn, nullptr},
      {"slow", "some members are slow now and then", nullptr, run_slow},
  };
  return all;
}

namespace {

struct Arguments {
  std::uint64_t members = 200;
  std::uint64_t seed = 0;
  std::uint64_t minutes = 2;
  std::uint64_t seconds = 0;  // Wins when it is given.
  std::string scenario = "all";
  bool is_profiled = false;
  bool is_verbose = false;
};

bool read_number(const char* argument, const char* name, std::uint64_t* value) {
  const std::size_t length = std::strlen(name);
  if (std::strncmp(argument, name, length) != 0 || argument[length] != '=') return false;
  char* end = nullptr;
  *value = std::strtoull(argument + length + 1, &end, 10);
  return *end == '\0' && end != argument + length + 1;
}

bool read_arguments(int argc, char** argv, Arguments* arguments) {
  if (const char* seed = std::getenv("SEED")) arguments->seed = std::strtoull(seed, nullptr, 10);
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--profile") == 0) {
      arguments->is_profiled = true;
    } else if (std::strcmp(argv[i], "--verbose") == 0) {
      arguments->is_verbose = true;
    } else if (std::strncmp(argv[i], "--scenario=", 11) == 0) {
      arguments->scenario = argv[i] + 11;
    } else if (!read_number(argv[i], "--members", &arguments->members) &&
               !read_number(argv[i], "--seed", &arguments->seed) &&
               !read_number(argv[i], "--seconds", &arguments->seconds) &&
               !read_number(argv[i], "--minutes", &arguments->minutes)) {
      return false;
    }
  }
  return arguments->members >= 4 && arguments->members <= 10'000 &&
         (arguments->minutes > 0 || arguments->seconds > 0);
}

bool is_wanted(const std::string& list, std::string_view name) {
  return list == "all" || ("," + list + ",").find("," + std::string(name) + ",") != list.npos;
}

int run_all(const Arguments& arguments) {
  // Short, so that people can type it.
  const std::uint64_t seed =
      arguments.seed != 0 ? arguments.seed : 1 + system_random().below(1'000'000);
  std::printf("seed %llu, %llu members, profile lan\n", static_cast<unsigned long long>(seed),
              static_cast<unsigned long long>(arguments.members));
  const std::uint64_t length = arguments.seconds != 0 ? arguments.seconds : 60 * arguments.minutes;
  const Wish wish{seed, arguments.members, seconds(static_cast<std::int64_t>(length))};
  name_simulation(seed, wish.members, arguments.scenario, length);
  std::unique_ptr<Fleet> fleet;  // Made once, since that is what takes longest.
  int ran = 0;
  for (const Scenario& scenario : scenarios()) {
    if (!is_wanted(arguments.scenario, scenario.name)) continue;
    ++ran;
    std::printf("%s: %s\n", std::string(scenario.name).c_str(),
                std::string(scenario.title).c_str());
    const Duration began = cpu_time();
    if (scenario.run_alone != nullptr) {
      scenario.run_alone(wish);
    } else {
      if (fleet == nullptr) {
        fleet = std::make_unique<Fleet>(Fleet::Options{seed, {}});
        if (scenario.run != run_join) fleet->form(wish.members);
      }
      scenario.run(wish, *fleet);
    }
    if (!arguments.is_profiled) continue;
    print_row("[CPU of this scenario]", in_seconds(cpu_time() - began), "s");
    print_row("[memory at most so far]", resident_mib(), "MiB");
  }
  if (ran == 0) std::fprintf(stderr, "no such scenario\n");
  return ran == 0 ? 2 : 0;
}

}  // namespace
}  // namespace dkron::gossip_sim

int main(int argc, char** argv) {
  dkron::gossip_sim::Arguments arguments;
  if (!dkron::gossip_sim::read_arguments(argc, argv, &arguments)) {
    std::fprintf(stderr,
                 "usage: dkron_gossip_sim [--members=N] [--seed=S] [--scenario=NAME,...|all] "
                 "[--minutes=M | --seconds=T] [--profile] [--verbose]\n");
    return 2;
  }
  if (!arguments.is_verbose) dkron::log::set_level(dkron::log::Level::Fatal);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // A large cluster takes half an hour.
  // Memory that one second frees the next one needs again; the system is not to clear it meanwhile.
  constexpr int kKeptBytes = 1 << 30;
  ::mallopt(M_TRIM_THRESHOLD, kKeptBytes);
  ::mallopt(M_TOP_PAD, kKeptBytes >> 6);
  return dkron::gossip_sim::run_all(arguments);
}
