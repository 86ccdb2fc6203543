// Fleet: the nodes that execute runs, with the contract of node/node_runs.h; SimNodes: a server's
// view.
//
// A node starts each run (job, group, attempt) at most once, however often it is ordered, and keeps
// its result until that is committed; it tries to deliver it to whoever leads. Orders and results
// survive a crash of the node (its journal), processes do not: those runs end as lost. Servers come
// and go without the nodes noticing.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "raft/node.h"
#include "runner/services.h"
#include "sim_time.h"

namespace dkron::sim {

struct RunKey {
  std::uint64_t uid = 0;
  std::int64_t group = 0;
  std::uint32_t attempt = 1;
  friend auto operator<=>(const RunKey&, const RunKey&) = default;
};

struct Order {
  RunKey key;
  std::string node;
  std::string job_name;
  Instant scheduled_at;
  // What the launcher started, and so must hold back when too much waits.
  bool is_first_of_scheduled() const { return !scheduled_at.is_zero() && key.attempt == 1; }
};

// Where a node reports to: the server that holds office, or nobody.
class Headquarters {
 public:
  virtual ~Headquarters() = default;
  virtual std::uint64_t life() const = 0;  // Tells the lives of servers apart.
  // Proposes the result; the callback says whether it needs no further delivery.
  virtual void report(std::uint64_t uid, model::Execution execution,
                      std::function<void(bool)> done) = 0;
  virtual void report_start(std::uint64_t uid, const model::Execution& execution) = 0;
};

class Fleet {
 public:
  static constexpr Duration kAgain = milliseconds(500);

  // `limit`: of scheduled runs that wait at the same time.
  Fleet(SimTime& time, Random& random, const Clock& clock, std::size_t nodes, std::size_t limit);

  std::function<Headquarters*()> find_headquarters;

  std::vector<std::string> names() const;
  // False when the node is down: order again.
  bool order(const Order& order);
  void crash(std::size_t node);
  void start(std::size_t node);
  void start_all();
  bool is_up(std::size_t node) const { return nodes_[node].up; }
  // Time between two process starts of a node.
  void set_pace(std::size_t node, Duration pace) { nodes_[node].pace = pace; }
  // A new leader is there.
  void deliver();

  std::size_t waiting() const { return waiting_; }
  std::size_t size() const { return nodes_.size(); }
  std::uint64_t started() const { return started_; }
  std::uint64_t lost() const { return lost_; }
  std::size_t most_waiting() const { return most_waiting_; }
  // Nothing waits, runs, or has a result to deliver.
  bool is_idle() const { return waiting_ == 0 && active_ == 0; }

 private:
  enum class Phase { Waiting, Running, Finished, Acknowledged };
  struct Run {
    Order order;
    Phase phase = Phase::Waiting;
    Instant started_at;
    Instant finished_at;
    bool success = false;
    bool lost = false;
    std::uint64_t delivering_to = 0;  // Life of the server that proposes it now.
  };
  struct Node {
    std::string name;
    bool up = true;
    std::uint64_t boot = 1;
    Duration pace{0};
    bool is_starting = false;
    std::map<RunKey, Run> runs;
    std::vector<RunKey> queue;  // Waiting, in order; from `queue_at`.
    std::size_t queue_at = 0;
    std::vector<RunKey> open;  // Finished, not acknowledged.
  };
  void count_waiting(const Order& order);
  void start_next(std::size_t node);
  void launch(std::size_t node, Run& run);
  void finish(std::size_t node, const RunKey& key, bool success, bool lost);
  void deliver(std::size_t node);
  void deliver(std::size_t node, Run& run, Headquarters& headquarters);
  Duration any_run_time();
  void tick();
  static model::Execution describe(const Node& node, const Run& run);

  SimTime& time_;
  Random& random_;
  const Clock& clock_;
  std::vector<Node> nodes_;
  const std::size_t limit_;
  std::size_t waiting_ = 0;
  std::size_t scheduled_waiting_ = 0;
  std::size_t most_waiting_ = 0;
  std::size_t active_ = 0;
  std::uint64_t started_ = 0;
  std::uint64_t lost_ = 0;
};

// Lives with a server's process. Orders go out until the node took them.
class SimNodes final : public runner::Nodes {
 public:
  using OnDispatch = std::function<void(const state::AttemptOpened&)>;
  // `spare`: how many runs may wait before the launcher holds instants back.
  SimNodes(SimLoop& loop, Random& random, Fleet& fleet, std::size_t spare, OnDispatch on_dispatch)
      : loop_(loop),
        random_(random),
        fleet_(fleet),
        spare_(spare),
        on_dispatch_(std::move(on_dispatch)) {}

  // The tag `on` says where a job runs: `all`, `none`; without it on one node.
  std::vector<std::string> select(const std::optional<model::StringMap>& tags) override;
  void dispatch(const state::AttemptOpened& attempt) override;
  std::size_t waiting() const override;
  std::size_t really_waiting() const { return fleet_.waiting() + under_way_; }

 private:
  void send(const Order& order);

  SimLoop& loop_;
  Random& random_;
  Fleet& fleet_;
  const std::size_t spare_;
  OnDispatch on_dispatch_;
  std::size_t under_way_ = 0;
};

}  // namespace dkron::sim
