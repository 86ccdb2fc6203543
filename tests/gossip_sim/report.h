// What the simulation prints: a table per scenario, and how it failed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"

namespace dkron::gossip_sim {

// Said with every failure; set before a scenario begins.
void name_simulation(std::uint64_t seed, std::size_t members, const std::string& scenario,
                     std::uint64_t length_s);
// Prints what is wrong and how to see it again; ends the program with status 1.
[[noreturn]] void fail_simulation(const std::string& what);

// One line of a scenario's table.
void print_row(const std::string& what, double value, const std::string& unit,
               const std::string& remark = "");

// Measured values of one kind, in seconds or plain numbers.
class Samples {
 public:
  void add(double value) { values_.push_back(value); }
  void add(Duration value);
  bool is_empty() const { return values_.empty(); }
  std::size_t size() const { return values_.size(); }
  double mean() const;
  double quantile(double part) const;  // 0.5: the median; 0 when there are none.
  double most() const { return quantile(1); }

 private:
  std::vector<double> values_;
};

// Of this process, all threads.
Duration cpu_time();
double resident_mib();
double in_seconds(Duration duration);

}  // namespace dkron::gossip_sim
