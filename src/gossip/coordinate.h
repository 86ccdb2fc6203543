// Network coordinates (Vivaldi): where a node lies in a space in which distance is round-trip time.
//
// CoordinateClient keeps our own coordinate and moves it with every measured round trip. Lives on
// the main loop. Source of the algorithm and its constants: the gossip specification, section 9.
#pragma once

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "base/time.h"
#include "gossip/serf_messages.h"

namespace dkron::gossip {

class CoordinateClient {
 public:
  // Longer ones are no measurements.
  static constexpr Duration kMaxRoundTrip = seconds(10);
  // Nodes whose last round trips are remembered; those of further nodes are taken as they come.
  static constexpr std::size_t kMaxFilteredNodes = 65'536;

  // `random` outlives the client.
  explicit CoordinateClient(Random& random);

  // `other` is the coordinate of `node`, which answered after `round_trip`. InvalidArgument, and
  // nothing moves, when either cannot be.
  Result<> update(std::string_view node, const CoordinateRecord& other, Duration round_trip);
  void forget(std::string_view node);

  const CoordinateRecord& coordinate() const { return coordinate_; }
  static CoordinateRecord start();

  // The estimated round trip between two usable coordinates (is_usable).
  static Duration distance(const CoordinateRecord& a, const CoordinateRecord& b);

 private:
  double filtered(std::string_view node, double round_trip);
  void approach(const CoordinateRecord& other, double round_trip);
  void adjust(const CoordinateRecord& other, double round_trip);
  void gravitate();
  void apply_force(double force, const CoordinateRecord& from);

  static constexpr std::size_t kAdjustmentSamples = 20;

  Random& random_;
  CoordinateRecord coordinate_ = start();
  std::array<double, kAdjustmentSamples> adjustments_{};
  std::size_t next_adjustment_ = 0;
  std::map<std::string, std::vector<double>, std::less<>> round_trips_;  // Newest last.
};

}  // namespace dkron::gossip
