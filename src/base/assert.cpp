#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace dkron {

void assertion_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "dkron: broken invariant: %s at %s:%d\n", condition, file, line);
  std::fflush(stderr);
  std::abort();
}

}  // namespace dkron
