// The memberlist's exchange of whole states over streams: joining, and repairing what gossip missed
// (specification 4.3, 6.14, 6.15).
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "gossip/memberlist.h"

namespace dkron::gossip {
namespace {

// The range of protocols that every living node speaks.
struct Range {
  std::uint8_t min = 0;
  std::uint8_t max = 255;
  void narrow(std::uint8_t low, std::uint8_t high) {
    min = std::max(min, low);
    max = std::min(max, high);
  }
  bool holds(std::uint8_t value) const { return value >= min && value <= max; }
};

Versions versions_of(const NodeRecord& node) {
  return node.has_versions ? node.versions : Versions{0, 0, 0, 0, 0, 0};
}

}  // namespace

PushPull Memberlist::local_state(bool is_join) {
  PushPull state;
  state.is_join = is_join;
  state.nodes.reserve(nodes_.size());
  for (const auto& node : nodes_.nodes()) state.nodes.push_back(node->record);
  state.user_state = env_.delegate.local_state(is_join);
  return state;
}

std::optional<StreamMessage> Memberlist::on_stream(const StreamMessage& message) {
  if (const auto* remote = std::get_if<PushPull>(&message)) {
    if (const Result<> checked = check(*remote); !checked) {
      log::warning("gossip: a member's state was refused", {{"reason", checked.error()}});
      return RemoteError{checked.error().message};
    }
    PushPull reply = local_state(remote->is_join);
    merge(*remote);
    return reply;
  }
  if (const auto* ping = std::get_if<Ping>(&message)) {
    if (!ping->node.empty() && !is_self(ping->node)) {
      log::warning("gossip: a ping for another member arrived here", {{"member", ping->node}});
      return std::nullopt;
    }
    return Ack{ping->sequence, {}};
  }
  if (const auto* user = std::get_if<User>(&message)) {
    env_.delegate.on_user_message(user->payload);
  }
  return std::nullopt;
}

void Memberlist::exchange_states() {
  const auto partner = nodes_.pick(1, [this](const Node& node) {
    return node.record.state == NodeState::Alive && !is_self(node.record.name);
  });
  if (partner.empty()) return;
  push_pull_with(partner[0]->endpoint(), false,
                 [name = partner[0]->record.name](const Result<>& done) {
                   if (done) return;
                   log::warning("gossip: exchanging states with a member failed",
                                {{"member", name}, {"reason", done.error()}});
                 });
}

void Memberlist::join(const Endpoint& to, Done done) {
  push_pull_with(to, true, std::move(done));
}

void Memberlist::push_pull_with(const Endpoint& to, bool is_join, Done done) {
  const std::weak_ptr<char> alive = alive_token_;
  env_.transport.exchange(
      to, local_state(is_join), options_.profile.tcp_timeout,
      [this, alive, done = std::move(done)](const Result<StreamMessage>& reply) {
        if (alive.expired()) return;
        if (!reply) return done(fail(reply.error()));
        if (const auto* error = std::get_if<RemoteError>(&*reply)) {
          return done(fail(ErrorCode::Conflict, "the remote says: " + error->message));
        }
        const auto* remote = std::get_if<PushPull>(&*reply);
        if (remote == nullptr) return done(fail(ErrorCode::Corrupt, "not a state that came back"));
        if (Result<> checked = check(*remote); !checked) return done(std::move(checked));
        merge(*remote);
        done({});
      });
}

// Whether all versions fit together, and the layer above takes every living node of the remote.
Result<> Memberlist::check(const PushPull& remote) const {
  Range protocol;
  Range delegate;
  const auto narrow = [&](const NodeRecord& node) {
    if (node.state != NodeState::Alive) return;
    const Versions v = versions_of(node);
    protocol.narrow(v.protocol_min, v.protocol_max);
    delegate.narrow(v.delegate_min, v.delegate_max);
  };
  for (const NodeRecord& node : remote.nodes) narrow(node);
  for (const auto& node : nodes_.nodes()) narrow(node->record);
  const auto fits = [&](const NodeRecord& node) {
    const Versions v = versions_of(node);
    return protocol.holds(v.protocol_current) && delegate.holds(v.delegate_current);
  };
  for (const NodeRecord& node : remote.nodes) {
    if (!fits(node)) {
      return fail(ErrorCode::Conflict, "member \"" + node.name + "\" speaks another protocol");
    }
    const bool is_alive = node.state == NodeState::Alive || node.state == NodeState::Suspect;
    if (!is_alive || is_self(node.name)) continue;
    if (Result<> accepted = env_.delegate.accept(node); !accepted) return accepted;
  }
  for (const auto& node : nodes_.nodes()) {
    if (!fits(node->record)) {
      return fail(ErrorCode::Conflict,
                  "member \"" + node->record.name + "\" does not speak the remote's protocol");
    }
  }
  return {};
}

void Memberlist::merge(const PushPull& remote) {
  for (const NodeRecord& node : remote.nodes) {
    switch (node.state) {
      case NodeState::Alive:
        on_alive({node.incarnation, node.name, node.ip, node.port, node.meta, node.versions});
        break;
      case NodeState::Left: on_dead({node.incarnation, node.name, node.name}); break;
      case NodeState::Dead:
      case NodeState::Suspect:
        // Hearsay is no proof: it becomes a suspicion, which the node can refute.
        on_suspect({node.incarnation, node.name, options_.name});
        break;
    }
  }
  env_.delegate.merge_remote_state(remote.user_state, remote.is_join);
}

}  // namespace dkron::gossip
