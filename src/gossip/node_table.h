// NodeTable: the nodes that a memberlist knows, ourselves among them, in the order they are probed.
//
// At most kMaxNodes; the memberlist refuses to learn more. Lives on the memberlist's thread; a Node
// stays where it is until it is erased, and keeps its name.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/random.h"
#include "gossip/messages.h"
#include "gossip/suspicion.h"
#include "gossip/timers.h"

namespace dkron::gossip {

// What is known of one node. `record` is what is gossiped and exchanged; its state changed at
// `changed`.
struct Node {
  NodeRecord record;
  Duration changed{};
  std::unique_ptr<Suspicion> suspicion;  // Few have one.
  Timers::Handle suspicion_timer;

  Endpoint endpoint() const { return {record.ip, record.port}; }
  bool is_gone() const {
    return record.state == NodeState::Dead || record.state == NodeState::Left;
  }
};

class NodeTable {
 public:
  static constexpr std::size_t kMaxNodes = 16'384;

  explicit NodeTable(Random& random) : random_(random) {}

  Node* find(std::string_view name);
  const Node* find(std::string_view name) const;
  // A new node, dead and with incarnation 0, at a random place of the probe order. Full: null.
  Node* add(NodeRecord record, Duration now);
  std::size_t size() const { return order_.size(); }
  // Whether order and names hold the same nodes, each once. For tests.
  bool is_sound() const;
  const std::vector<std::unique_ptr<Node>>& nodes() const { return order_; }

  // The next node to probe that `wanted` takes; null when one walk over all finds none. At the end
  // of the order, `at_end` may drop nodes before the order is shuffled.
  Node* next_to_probe(const std::function<bool(const Node&)>& wanted,
                      const std::function<bool(const Node&)>& expired);
  // Up to `count` different nodes that `wanted` takes. A small table is searched whole.
  std::vector<Node*> pick(std::size_t count, const std::function<bool(const Node&)>& wanted);

 private:
  void drop_and_shuffle(const std::function<bool(const Node&)>& expired);

  Random& random_;
  std::vector<std::unique_ptr<Node>> order_;
  std::unordered_map<std::string_view, Node*> by_name_;  // The names are those in the nodes.
  std::size_t next_ = 0;
};

}  // namespace dkron::gossip
