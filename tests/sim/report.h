// How a simulation fails: with the seed that shows it, and at once.
#pragma once

#include <cstdint>
#include <string>

namespace dkron::sim {

// Said in front of every failure; set before a simulation begins.
void name_simulation(std::uint64_t seed, std::uint64_t minutes);
// Prints what is wrong, and how to see it again; ends the program with status 1.
[[noreturn]] void fail_simulation(const std::string& what);

}  // namespace dkron::sim
