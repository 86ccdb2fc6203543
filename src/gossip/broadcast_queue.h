// BroadcastQueue: messages that wait to be piggybacked on packets, each a limited number of times.
//
// Those sent least go first; among equals the longest that still fits, then the newest. A named
// message replaces the waiting one of the same name. At most kMaxMessages wait; beyond, the one
// that was sent most often goes. Source: the gossip specification 6.11. Lives on one thread.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/executor.h"

namespace dkron::gossip {

class BroadcastQueue {
 public:
  static constexpr std::size_t kMaxMessages = 4096;

  explicit BroadcastQueue(int retransmit_mult) : retransmit_mult_(retransmit_mult) {}

  // `finished` runs once the message was sent often enough, or was replaced or dropped; never from
  // inside push() for this message itself.
  void push(std::string message, std::string name = {}, Task finished = {});

  // Appends messages to `out` while they fit into `room_bytes`, which shrinks by the size of each
  // plus `overhead_bytes`. `prefix` is put in front of each and counts as part of it.
  void take(std::size_t node_count, std::size_t overhead_bytes, std::string_view prefix,
            std::size_t& room_bytes, std::vector<std::string>& out);

  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    int sent = 0;
    std::uint64_t id = 0;
    std::string message;
    std::string name;
    Task finished;
  };
  struct Order {
    int sent;
    std::size_t size_bytes;
    std::uint64_t id;
    // Least sent, then longest, then newest.
    friend bool operator<(const Order& a, const Order& b) {
      if (a.sent != b.sent) return a.sent < b.sent;
      if (a.size_bytes != b.size_bytes) return a.size_bytes > b.size_bytes;
      return a.id > b.id;
    }
  };
  static Order order_of(const Entry& entry) { return {entry.sent, entry.message.size(), entry.id}; }
  void insert(Entry added);
  Entry extract(std::uint64_t id);

  int retransmit_mult_;
  std::uint64_t last_id_ = 0;
  std::unordered_map<std::uint64_t, Entry> entries_;
  std::set<Order> order_;
  std::unordered_map<std::string_view, std::uint64_t> names_;  // Those in the entries.
};

}  // namespace dkron::gossip
