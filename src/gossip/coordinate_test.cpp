#include "gossip/coordinate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>

namespace dkron::gossip {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::uint64_t seed_of_this_run() {
  const char* given = std::getenv("SEED");
  return given ? std::strtoull(given, nullptr, 10) : std::random_device{}();
}

// Nodes in a plane, some milliseconds across; round trips are distances, with some noise.
class SimulatedNetwork {
 public:
  SimulatedNetwork(std::size_t size, std::uint64_t seed) : random_(seed) {
    for (std::size_t i = 0; i < size; ++i) {
      places_.push_back({fraction() * 0.1, fraction() * 0.1});
      clients_.emplace_back(random_);
    }
  }

  // Every node measures its way to one other.
  void run_round() {
    for (std::size_t i = 0; i < clients_.size(); ++i) {
      const std::size_t j = (i + 1 + random_.below(clients_.size() - 1)) % clients_.size();
      const double measured = true_distance(i, j) * (0.95 + 0.1 * fraction());
      const auto updated = clients_[i].update("node-" + std::to_string(j), clients_[j].coordinate(),
                                              Duration(static_cast<std::int64_t>(measured * 1e9)));
      ASSERT_TRUE(updated);
    }
  }

  double median_relative_error() const {
    std::vector<double> errors;
    for (std::size_t i = 0; i < clients_.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        const auto estimated =
            CoordinateClient::distance(clients_[i].coordinate(), clients_[j].coordinate());
        const double wanted = true_distance(i, j);
        errors.push_back(std::abs(static_cast<double>(estimated.count()) / 1e9 - wanted) / wanted);
      }
    }
    std::sort(errors.begin(), errors.end());
    return errors[errors.size() / 2];
  }

 private:
  double fraction() { return static_cast<double>(random_.next() >> 11) * 0x1p-53; }
  double true_distance(std::size_t i, std::size_t j) const {
    return 0.001 +
           std::hypot(places_[i].first - places_[j].first, places_[i].second - places_[j].second);
  }

  SeededRandom random_;
  std::vector<std::pair<double, double>> places_;
  std::vector<CoordinateClient> clients_;
};

TEST(CoordinateClient, comes_to_tell_the_distances_of_a_plane) {
  const std::uint64_t seed = seed_of_this_run();
  for (std::uint64_t run = 0; run < 5; ++run) {
    SCOPED_TRACE("SEED=" + std::to_string(seed) + ", run " + std::to_string(run));
    SimulatedNetwork network(25, seed + run);
    const double before = network.median_relative_error();
    for (int round = 0; round < 600; ++round) network.run_round();
    EXPECT_LT(network.median_relative_error(), 0.2);
    EXPECT_GT(before, 0.5);
  }
}

TEST(CoordinateClient, starts_at_the_origin_and_stays_usable) {
  SeededRandom random(1);
  CoordinateClient client(random);
  EXPECT_EQ(client.coordinate().vector, std::vector<double>(8, 0.0));
  EXPECT_EQ(client.coordinate().error, 1.5);
  EXPECT_EQ(client.coordinate().height, 1e-5);
  ASSERT_TRUE(client.update("a", CoordinateClient::start(), milliseconds(10)));
  EXPECT_TRUE(is_usable(client.coordinate()));
  EXPECT_NE(client.coordinate().vector, std::vector<double>(8, 0.0));
}

TEST(CoordinateClient, refuses_what_no_measurement_gives) {
  SeededRandom random(1);
  CoordinateClient client(random);
  const auto refuses = [&](const CoordinateRecord& other, Duration round_trip) {
    const auto updated = client.update("a", other, round_trip);
    return !updated && updated.error().code == ErrorCode::InvalidArgument;
  };
  CoordinateRecord other = CoordinateClient::start();
  EXPECT_TRUE(refuses(other, Duration(-1)));
  EXPECT_TRUE(refuses(other, seconds(10) + Duration(1)));
  for (const double bad : {kNan, kInfinity, -kInfinity}) {
    for (double* field : {&other.error, &other.height, &other.adjustment, &other.vector[7]}) {
      const double good = std::exchange(*field, bad);
      EXPECT_TRUE(refuses(other, milliseconds(1)));
      *field = good;
    }
  }
  other.vector.pop_back();
  EXPECT_TRUE(refuses(other, milliseconds(1)));
  EXPECT_EQ(client.coordinate().vector, std::vector<double>(8, 0.0));
}

TEST(CoordinateClient, survives_coordinates_at_the_end_of_numbers) {
  SeededRandom random(1);
  CoordinateClient client(random);
  for (const double huge : {1e300, -1e300, 1e18, -1e18, 1e-300}) {
    for (int i = 0; i < 30; ++i) {
      CoordinateRecord other = CoordinateClient::start();
      for (double& component : other.vector) component = huge;
      other.error = huge;
      other.height = -huge;
      other.adjustment = huge;
      ASSERT_TRUE(client.update("a", other, milliseconds(i)));
      ASSERT_TRUE(is_usable(client.coordinate()));
    }
  }
}

TEST(CoordinateClient, takes_the_median_of_the_last_three_round_trips) {
  SeededRandom random(1);
  CoordinateClient steady(random);
  SeededRandom same_random(1);
  CoordinateClient disturbed(same_random);
  const CoordinateRecord other = CoordinateClient::start();
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(steady.update("a", other, milliseconds(10)));
    ASSERT_TRUE(disturbed.update("a", other, milliseconds(10)));
  }
  ASSERT_TRUE(steady.update("a", other, milliseconds(10)));
  ASSERT_TRUE(disturbed.update("a", other, seconds(9)));
  EXPECT_EQ(steady.coordinate().vector, disturbed.coordinate().vector);
  disturbed.forget("a");
  ASSERT_TRUE(steady.update("a", other, milliseconds(10)));
  ASSERT_TRUE(disturbed.update("a", other, seconds(9)));
  EXPECT_NE(steady.coordinate().vector, disturbed.coordinate().vector);
}

TEST(CoordinateClient, adds_adjustments_only_while_the_distance_stays_positive) {
  CoordinateRecord a = CoordinateClient::start();
  CoordinateRecord b = CoordinateClient::start();
  b.vector[0] = 0.010;
  const auto distance = [&] {
    return static_cast<double>(CoordinateClient::distance(a, b).count());
  };
  EXPECT_NEAR(distance(), 10'020'000, 1);
  a.adjustment = 0.001;
  EXPECT_NEAR(distance(), 11'020'000, 1);
  a.adjustment = -1;
  EXPECT_NEAR(distance(), 10'020'000, 1);
}

}  // namespace
}  // namespace dkron::gossip
