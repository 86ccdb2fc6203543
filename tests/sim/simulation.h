// Simulation: one seed's history: a cluster, its clients and its troubles, then calm and the
// checks.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "client.h"
#include "sim_server.h"
#include "witness.h"

namespace dkron::sim {

struct Summary {
  Duration simulated{0};
  std::uint64_t entries = 0;
  std::uint64_t launches = 0;
  std::uint64_t skips = 0;
  std::uint64_t misses = 0;
  std::uint64_t refusals = 0;
  std::uint64_t runs = 0;
  std::uint64_t lost = 0;
  std::uint64_t most_waiting = 0;
  std::uint64_t crashes = 0;
  std::uint64_t elections = 0;
  std::uint64_t clock_steps = 0;
  std::uint64_t requests = 0;

  Summary& operator+=(const Summary& other);
};
std::string describe(const Summary& summary);  // Without the time.

class Simulation {
 public:
  Simulation(std::uint64_t seed, Duration troubled);
  ~Simulation();
  void trace(std::string job) { witness_.trace(std::move(job)); }
  Summary run();

 private:
  // What kind of history the seed tells; each trouble is there or not.
  struct Scenario {
    std::size_t servers = 1;
    std::size_t nodes = 1;
    std::size_t jobs = 10;
    std::size_t spare = 0;
    bool crashes = false;
    bool elections = false;
    bool small_clock_steps = false;
    bool large_clock_steps = false;
    bool slow_nodes = false;
    bool node_crashes = false;
    bool failing_proposals = false;
    bool busy_workers = false;
    bool stalls = false;
    bool edits = false;
  };
  struct Seat {
    Seat(std::string own_name, const SimTime& time) : name(std::move(own_name)), clock(time) {}
    std::string name;
    SimClock clock;
    store::MemoryStore store;
    std::unique_ptr<SimServer> server;
  };
  Scenario draw();
  void start_server(std::size_t seat);
  void crash_server(std::size_t seat);
  void elect();
  void depose();
  SimServer* find_office();
  void on_append(std::uint64_t index);
  void be_client();
  void make_trouble();
  void step_clocks(Duration by);
  void end_troubles();
  void disable_jobs();
  void check_end();
  void check_index(const SimServer& server, const store::MemoryStore& store) const;

  SimTime time_;
  SeededRandom random_;
  const Duration troubled_;
  const Scenario scenario_;
  Faults faults_;
  Log log_;
  Witness witness_;
  SimClock node_clock_;
  Fleet fleet_;
  Client client_;
  std::vector<std::unique_ptr<Seat>> seats_;
  std::optional<std::size_t> leader_;
  std::uint64_t lives_ = 0;
  bool is_troubled_ = true;
  Summary summary_;
};

}  // namespace dkron::sim
