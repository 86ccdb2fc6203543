#include "base/random.h"

#include <sys/random.h>

#include <cerrno>

#include "base/assert.h"

namespace dkron {
namespace {

void fill_from_kernel(void* data, std::size_t size_bytes) {
  auto* out = static_cast<unsigned char*>(data);
  while (size_bytes > 0) {
    const ssize_t n = ::getrandom(out, size_bytes, 0);
    if (n < 0) {
      DK_ASSERT(errno == EINTR);
      continue;
    }
    out += n;
    size_bytes -= static_cast<std::size_t>(n);
  }
}

// Numbers are drawn from the kernel some at a time: a system call for each would be felt on hot
// paths.
class SystemRandom final : public Random {
 public:
  std::uint64_t next() override {
    static constexpr std::size_t kDrawn = 32;
    thread_local std::uint64_t numbers[kDrawn];
    thread_local std::size_t left = 0;
    if (left == 0) {
      fill_from_kernel(numbers, sizeof numbers);
      left = kDrawn;
    }
    return numbers[--left];
  }
};

}  // namespace

std::uint64_t Random::below(std::uint64_t bound) {
  DK_ASSERT(bound > 0);
  // Rejection keeps the distribution uniform; the loop ends with probability > 1/2 per turn.
  const std::uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
  std::uint64_t value = next();
  while (value >= limit) value = next();
  return value % bound;
}

Random& system_random() {
  static SystemRandom random;
  return random;
}

std::string random_bytes(std::size_t size_bytes) {
  std::string bytes(size_bytes, '\0');
  fill_from_kernel(bytes.data(), size_bytes);
  return bytes;
}

}  // namespace dkron
