#include "gossip/memberlist.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "base/log.h"
#include "gossip/prober.h"

namespace dkron::gossip {
namespace {

// A message in a compound costs its length, two bytes.
constexpr std::size_t kPartOverheadBytes = 2;
constexpr std::size_t kCompoundHeaderBytes = 2;
constexpr std::string_view kNoPrefix;

Duration random_below(Random& random, Duration bound) {
  return Duration(random.below(static_cast<std::uint64_t>(bound.count())));
}

}  // namespace

Memberlist::Memberlist(Options options, Environment environment)
    : options_(std::move(options)),
      env_(environment),
      nodes_(environment.random),
      broadcasts_(options_.profile.retransmit_mult),
      prober_(std::make_unique<Prober>(*this)) {}

Memberlist::~Memberlist() = default;

void Memberlist::start() {
  incarnation_ = 1;
  on_alive({incarnation_, options_.name, options_.advertise.ip, options_.advertise.port,
            options_.meta, options_.versions},
           true);
  prober_->start();
  const Profile& profile = options_.profile;
  repeat(
      random_below(env_.random, profile.gossip_interval),
      [interval = profile.gossip_interval] { return interval; }, [this] { gossip(); },
      gossip_timer_);
  repeat(
      random_below(env_.random, profile.push_pull_interval),
      [this] { return push_pull_interval(options_.profile, nodes_.size()); },
      [this] { exchange_states(); }, push_pull_timer_);
}

void Memberlist::stop() {
  prober_->stop();
  gossip_timer_.cancel();
  push_pull_timer_.cancel();
  waits_.clear();
  for (const auto& node : nodes_.nodes()) end_suspicion(*node);
  alive_token_.reset();
}

void Memberlist::repeat(Duration first, std::function<Duration()> interval, Task task,
                        Timers::Handle& timer) {
  timer = env_.timers.after(first, [this, interval, task, &timer] {
    repeat(interval(), interval, task, timer);
    task();
  });
}

Node& Memberlist::self() {
  Node* node = nodes_.find(options_.name);
  DK_ASSERT(node != nullptr);
  return *node;
}

bool Memberlist::others_alive() const {
  return std::ranges::any_of(nodes_.nodes(), [this](const auto& node) {
    return !node->is_gone() && !is_self(node->record.name);
  });
}

void Memberlist::change_health(int delta) {
  const int worst = options_.profile.awareness_max_multiplier - 1;
  health_score_ = std::clamp(health_score_ + delta, 0, worst);
}

void Memberlist::on_packet(const Endpoint& from, std::string_view datagram) {
  ++counters_.packets_in;
  counters_.bytes_in += datagram.size();
  const Result<OpenedPacket> packet = open_packet(datagram, env_.framing);
  if (!packet) {
    ++counters_.packets_dropped;
    log::debug("gossip: a packet was dropped",
               {{"from", from.to_string()}, {"reason", packet.error()}});
    return;
  }
  if (packet->truncated > 0) ++counters_.packets_dropped;
  for (const std::string& message : packet->messages) handle(from, message);
}

void Memberlist::handle(const Endpoint& from, std::string_view bytes) {
  Result<Message> message = decode_message(bytes);
  if (!message) {
    ++counters_.messages_dropped;
    log::debug("gossip: a message was dropped",
               {{"from", from.to_string()}, {"reason", message.error()}});
    return;
  }
  struct Visitor {
    Memberlist& list;
    const Endpoint& from;
    void operator()(const Ping& m) const { list.on_ping(from, m); }
    void operator()(const IndirectPing& m) const { list.on_indirect_ping(from, m); }
    void operator()(const Ack& m) const { list.prober_->on_ack(m); }
    void operator()(const Nack& m) const { list.prober_->on_nack(m); }
    void operator()(const Suspect& m) const { list.on_suspect(m); }
    void operator()(Alive& m) const { list.on_alive(std::move(m)); }
    void operator()(const Dead& m) const { list.on_dead(m); }
    void operator()(const User& m) const { list.env_.delegate.on_user_message(m.payload); }
  };
  std::visit(Visitor{*this, from}, *message);
}

void Memberlist::on_ping(const Endpoint& from, const Ping& ping) {
  // An address may now belong to another name.
  if (!ping.node.empty() && !is_self(ping.node)) return;
  const bool has_source = !ping.source_ip.is_absent() && ping.source_port != 0;
  const Endpoint to = has_source ? Endpoint{ping.source_ip, ping.source_port} : from;
  send_with_piggyback(to, encode(Ack{ping.sequence, env_.delegate.ack_payload()}));
}

void Memberlist::on_indirect_ping(const Endpoint& from, const IndirectPing& request) {
  const bool has_source = !request.source_ip.is_absent() && request.source_port != 0;
  const Endpoint to = has_source ? Endpoint{request.source_ip, request.source_port} : from;
  prober_->relay(request, to);
}

std::size_t Memberlist::packet_overhead_bytes() const {
  const Framing& framing = env_.framing;
  const std::size_t label_bytes = framing.label.empty() ? 0 : 2 + framing.label.size();
  return label_bytes + (framing.keyring != nullptr ? Keyring::kOverheadBytes : 0);
}

std::vector<std::string> Memberlist::take_broadcasts(std::size_t room_bytes) {
  std::vector<std::string> messages;
  broadcasts_.take(nodes_.size(), kPartOverheadBytes, kNoPrefix, room_bytes, messages);
  env_.delegate.take_broadcasts(kPartOverheadBytes, room_bytes, messages);
  return messages;
}

void Memberlist::gossip() {
  const Duration now = env_.timers.now();
  const Profile& profile = options_.profile;
  // The newly dead hear of it too, so that one who was declared dead wrongly can refute.
  const auto targets =
      nodes_.pick(static_cast<std::size_t>(profile.gossip_nodes), [&](const Node& node) {
        if (is_self(node.record.name) || node.record.state == NodeState::Left) return false;
        return node.record.state != NodeState::Dead ||
               now - node.changed <= profile.gossip_to_the_dead_time;
      });
  const std::size_t room =
      profile.packet_budget_bytes - kCompoundHeaderBytes - packet_overhead_bytes();
  for (const Node* target : targets) {
    const std::vector<std::string> messages = take_broadcasts(room);
    if (messages.empty()) return;
    send(target->endpoint(), messages, target->record.versions.protocol_max >= 5);
  }
}

void Memberlist::send_with_piggyback(const Endpoint& to, std::string message) {
  const std::size_t used = message.size() + kCompoundHeaderBytes + packet_overhead_bytes();
  const std::size_t budget = options_.profile.packet_budget_bytes;
  std::vector<std::string> messages{std::move(message)};
  if (used < budget) {
    for (std::string& broadcast : take_broadcasts(budget - used)) {
      messages.push_back(std::move(broadcast));
    }
  }
  send(to, messages, false);
}

void Memberlist::send_user(const Endpoint& to, std::string_view payload, bool with_crc) {
  send(to, {encode(User{std::string(payload)})}, with_crc);
}

void Memberlist::send(const Endpoint& to, const std::vector<std::string>& messages, bool with_crc) {
  std::string datagram = seal_packet(messages, with_crc, env_.framing);
  ++counters_.packets_out;
  counters_.bytes_out += datagram.size();
  env_.transport.send_packet(to, std::move(datagram));
}

void Memberlist::broadcast(std::string message, const std::string& name, Task finished) {
  broadcasts_.push(std::move(message), name, std::move(finished));
}

void Memberlist::update(std::string meta, Done done) {
  options_.meta = std::move(meta);
  Node& node = self();
  const Alive alive{++incarnation_,          options_.name, options_.advertise.ip,
                    options_.advertise.port, options_.meta, options_.versions};
  const NodeState before = node.record.state;
  take_over(node, alive);
  notify_alive(node, before, true);
  constexpr Duration kTimeout = seconds(5);
  finish_when_sent(encode(alive), kTimeout, std::move(done));
}

void Memberlist::leave(Duration timeout, Done done) {
  has_left_ = true;
  Node& node = self();
  if (node.is_gone()) return done({});
  const Dead dead{node.record.incarnation, options_.name, options_.name};
  node.record.state = NodeState::Left;
  node.changed = env_.timers.now();
  env_.delegate.on_leave(node.record);
  finish_when_sent(encode(dead), timeout, std::move(done));
}

void Memberlist::finish_when_sent(std::string message, Duration timeout, Done done) {
  if (!others_alive()) {
    broadcast(std::move(message), options_.name);
    return done({});
  }
  const std::uint64_t id = ++last_wait_;
  const auto finish = [this, id](Result<> result) {
    auto wait = waits_.extract(id);
    if (!wait.empty()) wait.mapped().second(std::move(result));
  };
  auto on_timeout = [finish] {
    finish(fail(ErrorCode::Timeout, "the others were not told in time"));
  };
  waits_[id] = {env_.timers.after(timeout, on_timeout), std::move(done)};
  broadcast(std::move(message), options_.name, [finish] { finish({}); });
}

}  // namespace dkron::gossip
