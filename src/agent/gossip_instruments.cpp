#include "agent/gossip_instruments.h"

#include <array>

namespace dkron::agent {

using Counters = gossip::Memberlist::Counters;
using gossip::MemberStatus;

namespace {

constexpr std::array kShownStatuses{MemberStatus::Alive, MemberStatus::Leaving, MemberStatus::Left,
                                    MemberStatus::Failed};

}  // namespace

GossipInstruments::GossipInstruments(telemetry::Metrics& metrics)
    : health_score_(
          metrics.gauge("dkron_gossip_health_score",
                        "0: this node hears the others well; 7: it is the one at fault.")) {
  const auto add = [&](const char* name, const char* help, std::uint64_t Counters::*source) {
    counters_.push_back({metrics.counter(name, help), source});
  };
  add("dkron_gossip_packets_received_total", "Gossip packets received.", &Counters::packets_in);
  add("dkron_gossip_packets_sent_total", "Gossip packets sent.", &Counters::packets_out);
  add("dkron_gossip_received_bytes_total", "Bytes of gossip packets received.",
      &Counters::bytes_in);
  add("dkron_gossip_sent_bytes_total", "Bytes of gossip packets sent.", &Counters::bytes_out);
  add("dkron_gossip_packets_dropped_total",
      "Gossip packets that were broken, cut off, or encrypted with another key.",
      &Counters::packets_dropped);
  add("dkron_gossip_messages_dropped_total",
      "Gossip messages that were malformed, or of a node that may not be a member.",
      &Counters::messages_dropped);
  add("dkron_gossip_suspicions_total", "Members suspected of having failed.",
      &Counters::suspicions);
  add("dkron_gossip_deaths_total", "Members declared failed.", &Counters::deaths);
  add("dkron_gossip_refutations_total", "Times this node contradicted its own failure.",
      &Counters::refutations);
  for (const MemberStatus status : kShownStatuses) {
    members_.push_back(metrics.gauge("dkron_members", "Members by status.",
                                     {{"status", std::string(to_string(status))}}));
  }
}

void GossipInstruments::show(const gossip::Serf& serf) {
  const Counters& counters = serf.memberlist().counters();
  for (const Mirror& mirror : counters_) {
    mirror.counter.add(static_cast<double>(counters.*mirror.source) - mirror.counter.value());
  }
  health_score_.set(serf.memberlist().health_score());
  std::array<int, kShownStatuses.size()> members{};
  for (const gossip::Member& member : serf.members()) {
    for (std::size_t i = 0; i < kShownStatuses.size(); ++i) {
      if (member.status == kShownStatuses[i]) ++members[i];
    }
  }
  for (std::size_t i = 0; i < members.size(); ++i) members_[i].set(members[i]);
}

}  // namespace dkron::agent
