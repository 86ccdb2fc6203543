// HttpLoad: a load generator for one server on loopback: keep-alive connections, one request at a
// time each.
//
// One thread, epoll, no library, so that what is measured is the server. Counts and times are
// bounded by the caller. Every answer is read in full; anything but 2xx counts as an error.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace dkron::bench {

struct LoadOptions {
  std::uint16_t port = 0;
  int connections = 1;
  std::uint64_t requests = 0;  // Stops after so many answers ...
  double seconds = 60;         // ... or after this time, whichever comes first.
  // The bytes of request number i.
  std::function<std::string(std::uint64_t i)> make_request;
};

struct LoadResult {
  std::uint64_t answers = 0;
  std::uint64_t errors = 0;
  double seconds = 0;
  std::uint64_t body_bytes = 0;
  std::vector<double> latencies_ms;  // Sorted.
  std::string first_error;

  double rate() const { return seconds > 0 ? static_cast<double>(answers) / seconds : 0; }
  double percentile_ms(double p) const;
};

LoadResult run_load(const LoadOptions& options);

std::string make_post(const std::string& path, const std::string& body);
std::string make_get(const std::string& path);

// One request on a connection of its own; the body of the answer, "" when it is not 2xx.
std::string fetch(std::uint16_t port, const std::string& request);

}  // namespace dkron::bench
