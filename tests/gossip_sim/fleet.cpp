#include "fleet.h"

#include <algorithm>
#include <charconv>

#include "base/assert.h"
#include "report.h"

namespace dkron::gossip_sim {
namespace {

// With so few, the invariants are checked after every event of the network.
constexpr std::size_t kSmall = 20;
constexpr Duration kStep = seconds(1);

}  // namespace

std::size_t number_of(const std::string& name) {
  std::size_t number = 0;
  const auto read = std::from_chars(name.data() + 1, name.data() + name.size(), number);
  DK_ASSERT(read.ec == std::errc() && name.starts_with('m'));
  return number;
}

Fleet::Fleet(const Options& options)
    : options_(options), random_(options.seed * 7919 + 1), network_(options.seed) {}

TestNode& Fleet::start_node(std::size_t number) {
  Actor& actor = actors_[number];
  Serf::Options options;
  options.name = actor.name;
  options.advertise = actor.endpoint;
  options.profile = options_.profile;
  options.coalesce_period = Duration{0};
  options.tags = {{"role", "dkron"},    {"dc", "dc1"},
                  {"region", "global"}, {"version", "4.1.2"},
                  {"server", "true"},   {"expect", "3"},
                  {"port", "6868"},     {"rpc_addr", actor.endpoint.ip.to_string() + ":6868"}};
  actor.node = std::make_unique<TestNode>(network_, options, std::vector<std::string>{},
                                          options_.seed * 1'000'003 + ++lives_);
  actor.node->on_member_event = [this, number](const MemberEvent& event) {
    on_event(number, event);
  };
  actor.node->keeps_news = false;
  actor.life = Life::Running;
  actor.is_frozen = false;
  actor.has_left = false;
  actor.disturbed = now();
  actor.sees.assign(actors_.size(), false);
  actor.seen = 0;
  actor.node->serf().start();
  return *actor.node;
}

std::size_t Fleet::start() {
  const std::size_t number = actors_.size();
  Actor& actor = actors_.emplace_back();
  actor.name = "m" + std::to_string(number);
  actor.endpoint = test_endpoint(static_cast<int>(number) + 1);
  start_node(number);
  return number;
}

void Fleet::join(std::size_t member, std::size_t to) {
  node(member)->join({actors_[to].endpoint}, false, [](const Result<std::size_t>&) {});
}

void Fleet::form(std::size_t members) {
  for (std::size_t i = 0; i < members; ++i) start();
  for (std::size_t i = 1; i < members; ++i) join(i, 0);
  settle(minutes(5));
}

void Fleet::crash(std::size_t member) {
  Actor& actor = actors_[member];
  actor.node.reset();
  invariants_.forget(member);
  actor.life = Life::Crashed;
  std::erase_if(wrong_, [&](const auto& entry) {
    return entry.second.viewer == member || entry.second.of == member;
  });
}

void Fleet::restart(std::size_t member) {
  actors_[member].has_restarted = true;
  start_node(member);
  // The others take it for dead, rightly until now.
  for (std::size_t viewer = 0; viewer < actors_.size(); ++viewer) {
    const Actor& other = actors_[viewer];
    if (other.node == nullptr || viewer == member) continue;
    const bool sees = other.sees.size() > member && other.sees[member];
    if (!sees) set_seen(viewer, member, false);
  }
}

void Fleet::leave(std::size_t member) {
  Actor& actor = actors_[member];
  actor.life = Life::Leaving;
  std::erase_if(wrong_, [&](const auto& entry) { return entry.second.of == member; });
  node(member)->leave([this, member](const Result<>&) { actors_[member].has_left = true; });
}

void Fleet::bury() {
  for (std::size_t i = 0; i < actors_.size(); ++i) {
    if (!actors_[i].has_left || actors_[i].life != Life::Leaving) continue;
    crash(i);
    actors_[i].life = Life::Left;
  }
}

void Fleet::freeze(std::size_t member) {
  network_.freeze(actors_[member].endpoint);
  actors_[member].is_frozen = true;
  actors_[member].disturbed = now();
}

void Fleet::thaw(std::size_t member) {
  network_.thaw(actors_[member].endpoint);
  actors_[member].is_frozen = false;
  actors_[member].disturbed = now();
}

void Fleet::stick(std::size_t member) {
  network_.stick(actors_[member].endpoint);
  actors_[member].is_frozen = true;
  actors_[member].disturbed = now();
}

void Fleet::loosen(std::size_t member) {
  network_.loosen(actors_[member].endpoint);
  actors_[member].is_frozen = false;
  actors_[member].disturbed = now();
}

void Fleet::set_quiet(bool is_quiet) {
  is_quiet_ = is_quiet;
  quiet_since_ = now();
}

void Fleet::on_event(std::size_t viewer, const MemberEvent& event) {
  for (const Member& member : event.members) {
    const std::size_t of = number_of(member.name);
    switch (event.type) {
      case MemberEvent::Type::Join: set_seen(viewer, of, true); break;
      case MemberEvent::Type::Leave:
      case MemberEvent::Type::Failed:
      case MemberEvent::Type::Reap: set_seen(viewer, of, false); break;
      case MemberEvent::Type::Update: break;
    }
    if (on_change_) on_change_(viewer, of, event.type);
  }
}

void Fleet::set_seen(std::size_t viewer, std::size_t of, bool is_alive) {
  Actor& actor = actors_[viewer];
  if (actor.sees.size() <= of) actor.sees.resize(actors_.size());
  if (actor.sees[of] != is_alive) {
    actor.sees[of] = is_alive;
    actor.seen = is_alive ? actor.seen + 1 : actor.seen - 1;
  }
  const std::uint64_t key = (std::uint64_t{viewer} << 32) | of;
  if (is_alive || actors_[of].life != Life::Running) {
    wrong_.erase(key);
  } else {
    wrong_.try_emplace(key, Belief{viewer, of, now()});
  }
}

const Fleet::Belief* Fleet::overdue_belief(Duration bound) const {
  if (!is_quiet_) return nullptr;
  for (const auto& [key, belief] : wrong_) {
    const Actor& viewer = actors_[belief.viewer];
    const Actor& of = actors_[belief.of];
    if (viewer.life != Life::Running || viewer.is_frozen || of.is_frozen) continue;
    const Duration since = std::max({belief.since, viewer.disturbed, of.disturbed, quiet_since_});
    if (now() - since > bound) return &belief;
  }
  return nullptr;
}

void Fleet::step(Duration duration) {
  if (actors_.size() > kSmall) {
    network_.run(duration);
  } else {
    network_.run_until(
        [this] {
          invariants_.check();
          return false;
        },
        duration);
  }
  bury();
  if (now() < next_check_) return;
  next_check_ = now() + kStep;
  invariants_.check();
}

void Fleet::run(Duration duration) {
  const Duration end = now() + duration;
  while (now() < end) step(std::min(kStep, end - now()));
}

bool Fleet::run_until(const std::function<bool()>& done, Duration at_most) {
  const Duration end = now() + at_most;
  while (!done()) {
    if (now() >= end) return false;
    step(kStep / 10);
  }
  return true;
}

Duration Fleet::settle(Duration at_most) {
  const Duration began = now();
  Duration whole_at = began;
  const bool is_settled = run_until(
      [&] {
        if (!is_whole()) return whole_at = now(), false;
        return is_idle();
      },
      at_most);
  if (!is_settled) {
    std::string worst = "nobody";
    std::size_t misses = 0;
    for (const Actor& actor : actors_) {
      if (actor.life != Life::Running || actor.seen == running()) continue;
      if (misses++ == 0) worst = actor.name + " sees " + std::to_string(actor.seen);
    }
    fail_simulation("the cluster did not become one within " + format_duration(at_most) + ": " +
                    std::to_string(running()) + " run, " + worst + ", " + std::to_string(misses) +
                    " members are wrong" + (is_whole() ? ", messages wait for ever" : ""));
  }
  invariants_.check_all();
  return std::max(Duration{0}, whole_at - began);
}

bool Fleet::is_whole() const {
  const std::size_t count = running();
  for (const Actor& actor : actors_) {
    if (actor.life == Life::Running && actor.seen != count) return false;
  }
  for (const Actor& viewer : actors_) {
    if (viewer.life != Life::Running) continue;
    for (std::size_t of = 0; of < viewer.sees.size(); ++of) {
      if (viewer.sees[of] && actors_[of].life != Life::Running) return false;
    }
  }
  return true;
}

bool Fleet::is_idle() const {
  using Kind = SerfBroadcasts::Kind;
  return std::ranges::all_of(actors_, [](const Actor& actor) {
    if (actor.node == nullptr) return true;
    const Serf& serf = actor.node->serf();
    return serf.memberlist().waiting() == 0 && serf.waiting(Kind::Intent) == 0;
  });
}

std::size_t Fleet::running() const {
  return static_cast<std::size_t>(std::ranges::count(actors_, Life::Running, &Actor::life));
}

std::size_t Fleet::any_running(bool may_be_frozen) {
  while (true) {
    const std::size_t member = random_.below(actors_.size());
    const Actor& actor = actors_[member];
    if (actor.life == Life::Running && (may_be_frozen || !actor.is_frozen)) return member;
  }
}

TestNetwork::Traffic Fleet::traffic() {
  TestNetwork::Traffic sum;
  for (const Actor& actor : actors_) {
    const TestNetwork::Traffic& one = network_.traffic(actor.endpoint);
    sum.packets_out += one.packets_out;
    sum.packet_bytes_out += one.packet_bytes_out;
    sum.packets_in += one.packets_in;
    sum.streams_out += one.streams_out;
    sum.stream_bytes_out += one.stream_bytes_out;
  }
  return sum;
}

Memberlist::Counters Fleet::counters() const {
  Memberlist::Counters sum;
  for (const Actor& actor : actors_) {
    if (actor.node == nullptr) continue;
    const Memberlist::Counters& one = actor.node->serf().memberlist().counters();
    sum.probes += one.probes;
    sum.probes_failed += one.probes_failed;
    sum.suspicions += one.suspicions;
    sum.deaths += one.deaths;
    sum.refutations += one.refutations;
    sum.packets_dropped += one.packets_dropped;
    sum.messages_dropped += one.messages_dropped;
  }
  return sum;
}

}  // namespace dkron::gossip_sim
