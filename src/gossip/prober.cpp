#include "gossip/prober.h"

#include <utility>

#include "base/log.h"

namespace dkron::gossip {

void Prober::start() {
  const Duration interval = list_.options_.profile.probe_interval;
  const Duration first(list_.env_.random.below(static_cast<std::uint64_t>(interval.count())));
  list_.repeat(
      first, [interval] { return interval; }, [this] { tick(); }, tick_timer_);
}

void Prober::stop() {
  tick_timer_.cancel();
  probe_timer_.cancel();
  probe_ = {};
  relayed_.clear();
}

void Prober::tick() {
  if (probe_.sequence != 0) {
    tick_waits_ = true;
    return;
  }
  const Duration now = list_.env_.timers.now();
  const Duration keep = list_.options_.profile.gossip_to_the_dead_time;
  const Node* node = list_.nodes_.next_to_probe(
      [this](const Node& n) { return !n.is_gone() && !list_.is_self(n.record.name); },
      [=](const Node& n) { return n.is_gone() && now - n.changed > keep; });
  if (node != nullptr) probe(*node);
}

void Prober::probe(const Node& node) {
  const Profile& profile = list_.options_.profile;
  const Duration now = list_.env_.timers.now();
  probe_ = {.sequence = next_sequence(),
            .node = node.record.name,
            .endpoint = node.endpoint(),
            .began = now,
            .deadline = now + profile.probe_interval * (list_.health_score_ + 1)};
  ++list_.counters_.probes;
  const std::string ping = encode(ping_for(probe_.sequence, probe_.node));
  if (node.record.state == NodeState::Suspect) {
    // It hears of the suspicion with the very question, so it can refute at once.
    const Suspect suspect{node.record.incarnation, node.record.name, list_.name()};
    const bool with_crc = node.record.versions.protocol_max >= 5;
    list_.send(probe_.endpoint, {ping, encode(suspect)}, with_crc);
  } else {
    list_.send_with_piggyback(probe_.endpoint, ping);
  }
  probe_timer_ = list_.env_.timers.after(profile.probe_timeout, [this] { go_indirect(); });
}

Ping Prober::ping_for(std::uint32_t sequence, const std::string& node) const {
  const Endpoint& self = list_.advertise();
  return {sequence, node, self.ip, self.port, list_.name()};
}

void Prober::go_indirect() {
  probe_.is_indirect = true;
  log::debug("gossip: no answer to a ping, asking through others", {{"member", probe_.node}});
  const auto relays = list_.nodes_.pick(
      static_cast<std::size_t>(list_.options_.profile.indirect_checks), [this](const Node& n) {
        return n.record.state == NodeState::Alive && !list_.is_self(n.record.name) &&
               n.record.name != probe_.node;
      });
  const Endpoint& self = list_.advertise();
  for (const Node* relay : relays) {
    const bool wants_nack = relay->record.versions.protocol_max >= 4;
    if (wants_nack) ++probe_.nacks_expected;
    const IndirectPing request{probe_.sequence, probe_.endpoint.ip, probe_.endpoint.port,
                               probe_.node,     wants_nack,         self.ip,
                               self.port,       list_.name()};
    list_.send_with_piggyback(relay->endpoint(), encode(request));
  }
  ask_over_tcp();
  const Duration now = list_.env_.timers.now();
  probe_timer_ = list_.env_.timers.after(probe_.deadline - now, [this] { on_deadline(); });
}

void Prober::ask_over_tcp() {
  const Node* node = list_.nodes_.find(probe_.node);
  if (node == nullptr || node->record.versions.protocol_max < 3) return;
  const std::uint32_t sequence = probe_.sequence;
  const std::weak_ptr<char> alive = list_.alive_token_;
  list_.env_.transport.exchange(probe_.endpoint, ping_for(sequence, probe_.node),
                                probe_.deadline - list_.env_.timers.now(),
                                [this, alive, sequence](const Result<StreamMessage>& reply) {
                                  if (alive.expired() || probe_.sequence != sequence || !reply)
                                    return;
                                  const Ack* ack = std::get_if<Ack>(&*reply);
                                  if (ack != nullptr && ack->sequence == sequence)
                                    probe_.is_tcp_answered = true;
                                });
}

void Prober::on_ack(const Ack& ack) {
  if (ack.sequence == 0) return;
  if (ack.sequence == probe_.sequence) {
    const Node* node = list_.nodes_.find(probe_.node);
    if (!probe_.is_indirect && node != nullptr) {
      const Duration round_trip = list_.env_.timers.now() - probe_.began;
      list_.env_.delegate.on_ping_complete(node->record, round_trip, ack.payload);
    }
    end(true);
    return;
  }
  const auto relayed = relayed_.extract(ack.sequence);
  if (relayed.empty()) return;
  // The requester measures nothing with this answer: no payload.
  list_.send_with_piggyback(relayed.mapped().reply_to, encode(Ack{relayed.mapped().sequence, {}}));
}

void Prober::on_nack(const Nack& nack) {
  if (probe_.sequence != 0 && nack.sequence == probe_.sequence) ++probe_.nacks;
}

void Prober::on_deadline() {
  if (probe_.is_tcp_answered) {
    log::warning("gossip: a member answers over TCP but not over UDP", {{"member", probe_.node}});
    end(true);
    return;
  }
  end(false);
}

void Prober::end(bool is_alive) {
  probe_timer_.cancel();
  const Probe ended = std::exchange(probe_, {});
  if (is_alive) {
    list_.change_health(-1);
  } else {
    // Silent relays say that the fault may be ours.
    const std::size_t answered = std::min(ended.nacks, ended.nacks_expected);
    const std::size_t missing = ended.nacks_expected - answered;
    list_.change_health(ended.nacks_expected > 0 ? static_cast<int>(missing) : 1);
    ++list_.counters_.probes_failed;
    if (const Node* node = list_.nodes_.find(ended.node); node != nullptr) {
      log::info("gossip: a member does not answer, suspected", {{"member", ended.node}});
      list_.on_suspect({node->record.incarnation, ended.node, list_.name()});
    }
  }
  if (std::exchange(tick_waits_, false)) tick();
}

void Prober::relay(const IndirectPing& request, const Endpoint& reply_to) {
  if (relayed_.size() >= kMaxRelayed) return;
  const std::uint32_t sequence = next_sequence();
  const std::uint16_t port = request.port != 0 ? request.port : list_.advertise().port;
  auto timeout = [this, sequence, wants_nack = request.wants_nack] {
    const auto relayed = relayed_.extract(sequence);
    if (relayed.empty() || !wants_nack) return;
    list_.send_with_piggyback(relayed.mapped().reply_to, encode(Nack{relayed.mapped().sequence}));
  };
  relayed_[sequence] = {reply_to, request.sequence,
                        list_.env_.timers.after(list_.options_.profile.probe_timeout, timeout)};
  list_.send_with_piggyback({request.target, port}, encode(ping_for(sequence, request.node)));
}

std::uint32_t Prober::next_sequence() {
  ++last_sequence_;
  if (last_sequence_ == 0) ++last_sequence_;  // 0 means "none" here.
  return last_sequence_;
}

}  // namespace dkron::gossip
