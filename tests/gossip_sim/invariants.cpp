#include "invariants.h"

#include <algorithm>
#include <string>

#include "fleet.h"
#include "report.h"

namespace dkron::gossip_sim {
namespace {

// Entries that are compared in one step.
constexpr std::size_t kEntriesPerStep = 4'000;

using Actor = Fleet::Actor;

[[noreturn]] void fail_at(const Fleet& fleet, const Actor& actor, const std::string& what) {
  fail_simulation("at " + format_duration(fleet.now()) + ", member " + actor.name + ": " + what);
}

void check_cheap(const Fleet& fleet, const Actor& actor) {
  const Serf& serf = actor.node->serf();
  const Memberlist& list = serf.memberlist();
  const Node* self = list.nodes().find(actor.name);
  if (self == nullptr) fail_at(fleet, actor, "it does not know itself");
  if (actor.life == Life::Running && self->record.state != NodeState::Alive) {
    fail_at(fleet, actor, "its own entry is not alive");
  }
  if (actor.life == Life::Running && serf.local().status != MemberStatus::Alive) {
    fail_at(fleet, actor, "it is not alive in Serf's eyes");
  }
  using Kind = SerfBroadcasts::Kind;
  const std::size_t most = std::max({list.waiting(), serf.waiting(Kind::Intent),
                                     serf.waiting(Kind::Query), serf.waiting(Kind::Event)});
  if (most > BroadcastQueue::kMaxMessages) fail_at(fleet, actor, "a queue is too long");
  const int score = list.health_score();
  if (score < 0 || score >= list.profile().awareness_max_multiplier) {
    fail_at(fleet, actor, "health score " + std::to_string(score));
  }
  if (list.counters().messages_dropped != 0 || list.counters().packets_dropped != 0) {
    fail_at(fleet, actor, "it could not read what others wrote");
  }
}

void check_status(const Fleet& fleet, const Actor& actor, const Node& node) {
  const Member* member = actor.node->serf().find(node.record.name);
  if (member == nullptr) {
    // A node is entered in the table and announced in one go.
    fail_at(fleet, actor, "Serf does not know " + node.record.name);
  }
  const bool is_there =
      member->status == MemberStatus::Alive || member->status == MemberStatus::Leaving;
  if (is_there == node.is_gone()) {
    fail_at(fleet, actor,
            "of " + node.record.name + " the memberlist says " +
                (node.is_gone() ? "gone" : "there") + ", Serf " +
                std::string(to_string(member->status)));
  }
}

void check_counts(const Fleet& fleet, const Actor& actor) {
  const MemberTable& table = actor.node->serf().member_table();
  std::size_t sum = 0;
  for (const auto status : {MemberStatus::None, MemberStatus::Alive, MemberStatus::Leaving,
                            MemberStatus::Left, MemberStatus::Failed}) {
    sum += table.count(status);
  }
  if (sum != table.size()) fail_at(fleet, actor, "Serf counts its members wrongly");
}

}  // namespace

void Invariants::check() {
  const std::size_t size = fleet_.actors().size();
  const std::size_t turns = std::max<std::size_t>(1, size * size / kEntriesPerStep);
  ++turn_;
  for (std::size_t i = 0; i < size; ++i) {
    const Actor& actor = fleet_.actors()[i];
    if (actor.node == nullptr) continue;
    check_cheap(fleet_, actor);
    if (i % turns == turn_ % turns) check_thoroughly(i);
  }
  check_beliefs();
}

void Invariants::check_all() {
  for (std::size_t i = 0; i < fleet_.actors().size(); ++i) {
    if (fleet_.actors()[i].node != nullptr) check_thoroughly(i);
  }
}

void Invariants::forget(std::size_t member) {
  if (member < known_.size()) known_[member].clear();
}

void Invariants::check_thoroughly(std::size_t member) {
  const Actor& actor = fleet_.actors()[member];
  const NodeTable& table = actor.node->serf().memberlist().nodes();
  if (!table.is_sound()) fail_at(fleet_, actor, "its table lists a member twice, or not at all");
  if (known_.size() <= member) known_.resize(member + 1);
  for (const auto& node : table.nodes()) {
    check_incarnation(member, *node);
    check_status(fleet_, actor, *node);
  }
  check_counts(fleet_, actor);
}

void Invariants::check_incarnation(std::size_t member, const Node& node) {
  const Actor& actor = fleet_.actors()[member];
  const std::size_t number = number_of(node.record.name);
  const Actor& of = fleet_.actors()[number];
  const std::uint32_t incarnation = node.record.incarnation;
  // One that was restarted still meets what its earlier life said.
  if (of.node != nullptr && !of.has_restarted) {
    const Node* own = of.node->serf().memberlist().nodes().find(of.name);
    if (incarnation > own->record.incarnation) {
      fail_at(fleet_, actor, "it knows an incarnation of " + of.name + " that never was");
    }
  }
  std::vector<Known>& all = known_[member];
  if (all.size() <= number) all.resize(fleet_.actors().size());
  Known& known = all[number];
  if (!known.was_gone && incarnation < known.incarnation) {
    fail_at(fleet_, actor, "the incarnation of " + of.name + " went back");
  }
  known = {incarnation, node.is_gone()};
}

void Invariants::check_beliefs() const {
  const Fleet::Belief* belief = fleet_.overdue_belief(kBeliefBound);
  if (belief == nullptr) return;
  fail_at(fleet_, fleet_.actors()[belief->viewer],
          "it still takes " + fleet_.actors()[belief->of].name + " for gone, since " +
              format_duration(belief->since));
}

}  // namespace dkron::gossip_sim
