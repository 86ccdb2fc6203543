// Random: where chance comes from, so that a seed reruns a test.
//
// system_random() reads the kernel's generator (cryptographic quality, thread-safe). SeededRandom
// is for tests and the simulator. Ids that must be unique across machines use 64 bits or more.
#pragma once

#include <cstdint>
#include <random>
#include <string>

namespace dkron {

class Random {
 public:
  virtual ~Random() = default;
  virtual std::uint64_t next() = 0;
  // Uniform in [0, bound); bound > 0.
  std::uint64_t below(std::uint64_t bound);
};

// Thread-safe; lives as long as the process.
Random& system_random();

// `size_bytes` bytes from the kernel's generator, for keys and cookies.
std::string random_bytes(std::size_t size_bytes);

class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : engine_(seed) {}
  std::uint64_t next() override { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

}  // namespace dkron
