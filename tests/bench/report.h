// The one table that the benchmark driver prints: what was measured, the aim, and the original's
// figure on a like machine (docs/benchmarks.md).
#pragma once

#include <string>

namespace dkron::bench {

// `better`: +1 when more is better, -1 when less is; 0: no aim.
void report(const std::string& name, double value, const std::string& unit, double aim, int better,
            const std::string& original = "");
void note(const std::string& text);

}  // namespace dkron::bench
