// The scenarios: each makes a cluster, gives it one kind of trouble, and prints what it measured.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace dkron::gossip_sim {

struct Wish {
  std::uint64_t seed = 1;
  std::size_t members = 200;
  Duration length = minutes(2);  // Of what lasts: steady state, each loss, churn.
};

class Fleet;

struct Scenario {
  std::string_view name;
  std::string_view title;
  // In a cluster that is whole and quiet, and is so afterwards; or in one of its own.
  void (*run)(const Wish& wish, Fleet& fleet);
  void (*run_alone)(const Wish& wish);
};
const std::vector<Scenario>& scenarios();

void run_join(const Wish& wish, Fleet& fleet);       // All join one at once; begins empty.
void run_steady(const Wish& wish, Fleet& fleet);     // Nothing happens.
void run_newcomer(const Wish& wish, Fleet& fleet);   // One more joins, again and again.
void run_loss(const Wish& wish, Fleet& fleet);       // Packets are lost.
void run_partition(const Wish& wish, Fleet& fleet);  // Two halves that do not hear each other.
void run_kill(const Wish& wish, Fleet& fleet);       // Some crash.
void run_churn(const Wish& wish, Fleet& fleet);      // Members come, go, crash and return.
void run_slow(const Wish& wish);                     // Some are slow now and then.

}  // namespace dkron::gossip_sim
