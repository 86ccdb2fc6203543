#include "gossip/coordinate.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace dkron::gossip {
namespace {

constexpr double kMaxError = 1.5;
constexpr double kErrorWeight = 0.25;  // How fast the error follows.
constexpr double kForceWeight = 0.25;  // How far one measurement moves.
constexpr double kMinHeight = 1e-5;
constexpr double kZero = 1e-6;
constexpr double kGravityRadius = 150;
constexpr std::size_t kFilterSize = 3;

using Vector = std::vector<double>;

double magnitude(const Vector& vector) {
  return std::sqrt(std::inner_product(vector.begin(), vector.end(), vector.begin(), 0.0));
}

Vector difference(const Vector& a, const Vector& b) {
  Vector result(a.size());
  std::transform(a.begin(), a.end(), b.begin(), result.begin(), std::minus<>());
  return result;
}

void scale(Vector& vector, double factor) {
  for (double& component : vector) component *= factor;
}

double raw_distance(const CoordinateRecord& a, const CoordinateRecord& b) {
  return magnitude(difference(a.vector, b.vector)) + a.height + b.height;
}

double seconds_of(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

CoordinateClient::CoordinateClient(Random& random) : random_(random) {}

CoordinateRecord CoordinateClient::start() {
  return {Vector(kCoordinateDimensions, 0.0), kMaxError, 0, kMinHeight};
}

// Hostile coordinates are finite and may still be further away than a duration can say.
Duration CoordinateClient::distance(const CoordinateRecord& a, const CoordinateRecord& b) {
  const double raw = raw_distance(a, b);
  const double adjusted = raw + a.adjustment + b.adjustment;
  const double nanoseconds = (adjusted > 0 ? adjusted : raw) * 1e9;
  constexpr double kMost = 9.2e18;
  if (!(nanoseconds < kMost)) return Duration::max();
  if (nanoseconds <= -kMost) return Duration::min();
  return Duration(static_cast<std::int64_t>(nanoseconds));
}

Result<> CoordinateClient::update(std::string_view node, const CoordinateRecord& other,
                                  Duration round_trip) {
  if (!is_usable(other)) {
    return fail(ErrorCode::InvalidArgument, "coordinate: not finite, or of another dimension");
  }
  if (round_trip < Duration::zero() || round_trip > kMaxRoundTrip) {
    return fail(ErrorCode::InvalidArgument,
                "round trip of " + format_duration(round_trip) + " is no measurement");
  }
  const double measured = filtered(node, seconds_of(round_trip));
  approach(other, measured);
  adjust(other, measured);
  gravitate();
  if (!is_usable(coordinate_)) coordinate_ = start();
  return {};
}

void CoordinateClient::forget(std::string_view node) {
  const auto found = round_trips_.find(node);
  if (found != round_trips_.end()) round_trips_.erase(found);
}

// The median of the node's last round trips.
double CoordinateClient::filtered(std::string_view node, double round_trip) {
  auto found = round_trips_.find(node);
  if (found == round_trips_.end()) {
    if (round_trips_.size() >= kMaxFilteredNodes) return round_trip;
    found = round_trips_.emplace(node, Vector()).first;
  }
  Vector& samples = found->second;
  samples.push_back(round_trip);
  if (samples.size() > kFilterSize) samples.erase(samples.begin());
  Vector sorted = samples;
  std::sort(sorted.begin(), sorted.end());
  return sorted[sorted.size() / 2];
}

void CoordinateClient::approach(const CoordinateRecord& other, double round_trip) {
  const double expected = seconds_of(distance(coordinate_, other));
  round_trip = std::max(round_trip, kZero);
  const double wrongness = std::abs(expected - round_trip) / round_trip;
  const double total_error = std::max(coordinate_.error + other.error, kZero);
  const double weight = coordinate_.error / total_error;
  coordinate_.error = std::min(kMaxError, kErrorWeight * weight * wrongness +
                                              coordinate_.error * (1 - kErrorWeight * weight));
  apply_force(kForceWeight * weight * (round_trip - expected), other);
}

void CoordinateClient::adjust(const CoordinateRecord& other, double round_trip) {
  adjustments_[next_adjustment_] = round_trip - raw_distance(coordinate_, other);
  next_adjustment_ = (next_adjustment_ + 1) % adjustments_.size();
  const double sum = std::accumulate(adjustments_.begin(), adjustments_.end(), 0.0);
  coordinate_.adjustment = sum / (2 * static_cast<double>(adjustments_.size()));
}

// Keeps the whole cloud of nodes from drifting away from the origin.
void CoordinateClient::gravitate() {
  const CoordinateRecord origin = start();
  const double pull = seconds_of(distance(origin, coordinate_)) / kGravityRadius;
  apply_force(-pull * pull, origin);
}

// Away from `from` when positive. Nodes in one place part in a random direction.
void CoordinateClient::apply_force(double force, const CoordinateRecord& from) {
  Vector direction = difference(coordinate_.vector, from.vector);
  const double distance = magnitude(direction);
  if (distance <= kZero) {
    for (double& component : direction) {
      component = static_cast<double>(random_.next() >> 11) * 0x1p-53 - 0.5;
    }
  }
  const double length = magnitude(direction);
  if (length <= kZero) return;
  scale(direction, force / length);
  std::transform(direction.begin(), direction.end(), coordinate_.vector.begin(),
                 coordinate_.vector.begin(), std::plus<>());
  if (distance <= kZero) return;
  const double height = (coordinate_.height + from.height) * force / distance + coordinate_.height;
  coordinate_.height = std::max(kMinHeight, height);
}

}  // namespace dkron::gossip
