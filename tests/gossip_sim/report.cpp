#include "report.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <numeric>

namespace dkron::gossip_sim {
namespace {

std::string options_now;

std::string format(double value) {
  char text[32];
  const double size = std::abs(value);
  std::snprintf(text, sizeof text,
                size >= 100 || value == 0 ? "%.0f"
                : size >= 10              ? "%.1f"
                                          : "%.3f",
                value);
  return text;
}

Duration of(const timeval& time) {
  return seconds(time.tv_sec) + microseconds(time.tv_usec);
}

}  // namespace

void name_simulation(std::uint64_t seed, std::size_t members, const std::string& scenario,
                     std::uint64_t length_s) {
  options_now = "--seed=" + std::to_string(seed) + " --members=" + std::to_string(members) +
                " --scenario=" + scenario + " --seconds=" + std::to_string(length_s);
}

void fail_simulation(const std::string& what) {
  std::fflush(stdout);
  std::fprintf(stderr, "FAILED: %s\nsee it again: dkron_gossip_sim %s\n", what.c_str(),
               options_now.c_str());
  // Nothing is worth an orderly end; objects in the middle of a step are not.
  std::_Exit(1);
}

void print_row(const std::string& what, double value, const std::string& unit,
               const std::string& remark) {
  std::printf("  %-58s %10s %-18s %s\n", what.c_str(), format(value).c_str(), unit.c_str(),
              remark.c_str());
  std::fflush(stdout);
}

void Samples::add(Duration value) {
  add(in_seconds(value));
}

double Samples::mean() const {
  if (values_.empty()) return 0;
  return std::accumulate(values_.begin(), values_.end(), 0.0) / static_cast<double>(values_.size());
}

double Samples::quantile(double part) const {
  if (values_.empty()) return 0;
  std::vector<double> sorted = values_;
  std::sort(sorted.begin(), sorted.end());
  const double place = std::ceil(part * static_cast<double>(sorted.size())) - 1;
  return sorted[static_cast<std::size_t>(std::max(0.0, place))];
}

Duration cpu_time() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return of(usage.ru_utime) + of(usage.ru_stime);
}

double resident_mib() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

double in_seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace dkron::gossip_sim
