// Prober: asks one node after the other whether it lives, and answers for others who cannot reach
// one.
//
// One probe at a time, once per probe interval: a ping; without an answer in time, indirect pings
// through other nodes and a ping over TCP; without any, the node is suspect. Part of Memberlist
// (specification 6.8, 6.9).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>

#include "gossip/memberlist.h"

namespace dkron::gossip {

class Prober {
 public:
  explicit Prober(Memberlist& list) : list_(list) {}

  void start();
  void stop();
  void on_ack(const Ack& ack);
  void on_nack(const Nack& nack);
  // Pings `request.node` for the requester at `reply_to`.
  void relay(const IndirectPing& request, const Endpoint& reply_to);

 private:
  // The one probe that runs; idle when its sequence is 0.
  struct Probe {
    std::uint32_t sequence = 0;
    std::string node;
    Endpoint endpoint;
    Duration began{};
    Duration deadline{};
    bool is_indirect = false;
    bool is_tcp_answered = false;
    std::size_t nacks_expected = 0;
    std::size_t nacks = 0;
  };
  struct Relayed {
    Endpoint reply_to;
    std::uint32_t sequence = 0;
    Timers::Handle timeout;
  };
  static constexpr std::size_t kMaxRelayed = 4096;

  void tick();
  void probe(const Node& node);
  void go_indirect();
  void ask_over_tcp();
  void on_deadline();
  void end(bool is_alive);
  Ping ping_for(std::uint32_t sequence, const std::string& node) const;
  std::uint32_t next_sequence();

  Memberlist& list_;
  Probe probe_;
  bool tick_waits_ = false;
  std::uint32_t last_sequence_ = 0;
  std::unordered_map<std::uint32_t, Relayed> relayed_;
  Timers::Handle tick_timer_;
  Timers::Handle probe_timer_;
};

}  // namespace dkron::gossip
