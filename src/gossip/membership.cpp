// The memberlist's rules for what is said of a node: alive, suspect, dead (specification 6.3
// to 6.7).
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "gossip/memberlist.h"

namespace dkron::gossip {

// A name may come back with another address only after it left.
bool Memberlist::may_move(const Node& node) const {
  return node.record.state == NodeState::Left;
}

// Whether an alive message tells anything about a node that we know.
bool Memberlist::is_news(const Node& node, const Alive& alive) {
  if (node.endpoint() != Endpoint{alive.ip, alive.port}) {
    if (may_move(node)) return true;
    env_.delegate.on_conflict(node.record, alive);
    return false;
  }
  if (is_self(alive.node)) return alive.incarnation >= node.record.incarnation;
  return alive.incarnation > node.record.incarnation;
}

// The node that the message speaks of, made when it is new; null when it may not be a member.
Node* Memberlist::admit(Node* known, const Alive& alive) {
  const NodeRecord record{.name = alive.node,
                          .ip = alive.ip,
                          .port = alive.port,
                          .meta = alive.meta,
                          .incarnation = alive.incarnation,
                          .state = NodeState::Alive,
                          .versions = alive.versions};
  const bool is_accepted = is_self(alive.node) || env_.delegate.accept(record).has_value();
  if (is_accepted && known != nullptr) return known;
  Node* added = is_accepted ? nodes_.add(record, env_.timers.now()) : nullptr;
  if (added == nullptr) ++counters_.messages_dropped;
  if (is_accepted && added == nullptr) {
    log::warning("gossip: the table of members is full, a member is ignored",
                 {{"member", alive.node}, {"limit", NodeTable::kMaxNodes}});
  }
  return added;
}

void Memberlist::on_alive(Alive alive, bool is_bootstrap) {
  const bool is_ours = is_self(alive.node);
  if (has_left_ && is_ours) return;
  if (alive.port == 0) alive.port = options_.advertise.port;
  Node* node = nodes_.find(alive.node);
  if (node == nullptr ? alive.incarnation == 0 : !is_news(*node, alive)) return;
  node = admit(node, alive);
  if (node == nullptr) return;

  end_suspicion(*node);
  const bool is_same = node->record.meta == alive.meta && node->record.versions == alive.versions;
  if (is_ours && !is_bootstrap) {
    // Our own words come back, unless an earlier life of ours speaks.
    if (alive.incarnation == node->record.incarnation && is_same) return;
    log::warning("gossip: refuting what an earlier life of ours announced");
    return refute(*node, alive.incarnation);
  }
  broadcast(encode(alive), alive.node);
  const NodeState before = node->record.state;
  take_over(*node, alive);
  notify_alive(*node, before, !is_same);
}

void Memberlist::take_over(Node& node, const Alive& alive) {
  node.record.ip = alive.ip;
  node.record.port = alive.port;
  node.record.meta = alive.meta;
  node.record.versions = alive.versions;
  node.record.has_versions = true;
  node.record.incarnation = alive.incarnation;
  if (node.record.state == NodeState::Alive) return;
  node.record.state = NodeState::Alive;
  node.changed = env_.timers.now();
}

void Memberlist::notify_alive(const Node& node, NodeState before, bool is_changed) {
  if (before == NodeState::Dead || before == NodeState::Left) {
    env_.delegate.on_join(node.record);
  } else if (is_changed) {
    env_.delegate.on_update(node.record);
  }
}

void Memberlist::refute(Node& self, std::uint32_t accused_incarnation) {
  ++counters_.refutations;
  ++incarnation_;
  if (accused_incarnation >= incarnation_) incarnation_ = accused_incarnation + 1;
  self.record.incarnation = incarnation_;
  change_health(1);
  broadcast(encode(Alive{incarnation_, options_.name, options_.advertise.ip,
                         options_.advertise.port, options_.meta, options_.versions}),
            options_.name);
}

void Memberlist::on_suspect(const Suspect& message) {
  Node* node = nodes_.find(message.node);
  if (node == nullptr || message.incarnation < node->record.incarnation) return;
  if (node->suspicion) {
    if (!node->suspicion->confirm(message.from)) return;
    arm_suspicion(*node);
    broadcast(encode(message), message.node);
    return;
  }
  if (node->record.state != NodeState::Alive) return;
  if (is_self(message.node)) {
    log::warning("gossip: refuting that we are suspect", {{"from", message.from}});
    return refute(*node, message.incarnation);
  }
  ++counters_.suspicions;
  broadcast(encode(message), message.node);
  node->record.incarnation = message.incarnation;
  node->record.state = NodeState::Suspect;
  node->changed = env_.timers.now();
  node->suspicion =
      std::make_unique<Suspicion>(options_.profile, nodes_.size(), message.from, env_.timers.now());
  arm_suspicion(*node);
}

void Memberlist::arm_suspicion(Node& node) {
  const Duration remaining = node.suspicion->remaining(env_.timers.now());
  node.suspicion_timer =
      env_.timers.after(remaining, [this, name = node.record.name] { on_suspicion_timeout(name); });
}

void Memberlist::on_suspicion_timeout(const std::string& name) {
  const Node* node = nodes_.find(name);
  if (node == nullptr || node->record.state != NodeState::Suspect) return;
  log::warning("gossip: a suspect did not answer in time, it counts as dead", {{"member", name}});
  on_dead({node->record.incarnation, name, options_.name});
}

void Memberlist::end_suspicion(Node& node) {
  node.suspicion.reset();
  node.suspicion_timer.cancel();
}

void Memberlist::on_dead(const Dead& message) {
  Node* node = nodes_.find(message.node);
  if (node == nullptr || message.incarnation < node->record.incarnation) return;
  end_suspicion(*node);
  if (node->is_gone()) return;
  if (is_self(message.node)) {
    log::warning("gossip: refuting that we are dead", {{"from", message.from}});
    return refute(*node, message.incarnation);
  }
  broadcast(encode(message), message.node);
  const bool is_on_purpose = message.node == message.from;
  if (!is_on_purpose) ++counters_.deaths;
  node->record.incarnation = message.incarnation;
  node->record.state = is_on_purpose ? NodeState::Left : NodeState::Dead;
  node->changed = env_.timers.now();
  env_.delegate.on_leave(node->record);
}

}  // namespace dkron::gossip
