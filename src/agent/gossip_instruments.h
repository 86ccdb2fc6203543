// GossipInstruments: the metrics of this node's membership. Main loop's thread.
#pragma once

#include <cstdint>
#include <vector>

#include "gossip/serf.h"
#include "telemetry/metrics.h"

namespace dkron::agent {

class GossipInstruments {
 public:
  explicit GossipInstruments(telemetry::Metrics& metrics);
  void show(const gossip::Serf& serf);

 private:
  // A counter that the core keeps itself.
  struct Mirror {
    telemetry::Counter counter;
    std::uint64_t gossip::Memberlist::Counters::*source;
  };
  std::vector<Mirror> counters_;
  std::vector<telemetry::Gauge> members_;  // By MemberStatus, from Alive on.
  telemetry::Gauge health_score_;
};

}  // namespace dkron::agent
