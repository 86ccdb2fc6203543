#include "report.h"

#include <cstdio>

namespace dkron::bench {
namespace {

std::string format(double value) {
  char text[32];
  std::snprintf(text, sizeof text, value >= 100 ? "%.0f" : value >= 10 ? "%.1f" : "%.2f", value);
  return text;
}

}  // namespace

void report(const std::string& name, double value, const std::string& unit, double aim, int better,
            const std::string& original) {
  const bool reached = better > 0 ? value >= aim : value <= aim;
  const std::string aim_text = better == 0 ? "" : (better > 0 ? ">= " : "<= ") + format(aim);
  std::printf("%-52s %12s %-6s %12s %-8s %s\n", name.c_str(), format(value).c_str(), unit.c_str(),
              aim_text.c_str(),
              better == 0 ? ""
              : reached   ? "reached"
                          : "MISSED",
              original.c_str());
  std::fflush(stdout);
}

void note(const std::string& text) {
  std::printf("# %s\n", text.c_str());
  std::fflush(stdout);
}

}  // namespace dkron::bench
