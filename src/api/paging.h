// Paging: what `_start` and `_end` of a list mean, for every list alike (spec rest-api 4.1, 5.1).
//
// What is not a number counts as 0, as recorded from the original, and a number of any size is a
// number. Pages outside of the list are empty; the original answers those with status 500.
#pragma once

#include <cstdint>

#include "api/exchange.h"

namespace dkron::api {

struct Page {
  std::uint64_t start = 0;  // First index.
  std::uint64_t end = 0;    // Behind the last one; may exceed the list, and lie before `start`.
  std::uint64_t length() const { return end > start ? end - start : 0; }
};

// Without `_end` the page ends `default_length` behind its start; UINT64_MAX: with the list.
Page read_page(const Exchange& exchange, std::uint64_t default_length = UINT64_MAX);

}  // namespace dkron::api
