// Query: what every source of addresses is asked with, and what it answers.
//
// A value, made once per call of discover(); `deadline` is a moment of system_clock().steady().
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/time.h"
#include "config/address.h"

namespace dkron::discovery {

using Addresses = std::vector<config::HostPort>;
// The keys of a provider's text, `provider` among them.
using Parameters = std::map<std::string, std::string, std::less<>>;

struct Query {
  Parameters parameters;
  std::uint16_t default_port = 0;
  Duration deadline{0};

  // Not below zero.
  Duration time_left() const {
    const Duration left = deadline - system_clock().steady();
    return left > Duration(0) ? left : Duration(0);
  }
  // The value of a key; "" when it is not given.
  std::string_view parameter(std::string_view key) const {
    const auto found = parameters.find(key);
    return found == parameters.end() ? std::string_view() : std::string_view(found->second);
  }
};

}  // namespace dkron::discovery
