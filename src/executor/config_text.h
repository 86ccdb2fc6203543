// Reading the values of an executor's config: they are all text (spec executors 0).
//
// Free functions, thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "executor/executor.h"

namespace dkron::executor {

// The value of `key`, or an empty view.
std::string_view find_value(const Config& config, std::string_view key);

// A set of numbers: `0,2,10-20`, blanks around numbers allowed; `2xx` is 200-299 where
// `with_classes`.
class CodeSet {
 public:
  static Result<CodeSet> parse(std::string_view text, bool with_classes);
  bool contains(std::int64_t code) const;

 private:
  std::vector<std::pair<std::int64_t, std::int64_t>> ranges_;
};

}  // namespace dkron::executor
