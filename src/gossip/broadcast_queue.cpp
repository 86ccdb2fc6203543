#include "gossip/broadcast_queue.h"

#include <utility>

#include "gossip/profile.h"

namespace dkron::gossip {

void BroadcastQueue::push(std::string message, std::string name, Task finished) {
  std::vector<Task> replaced;
  if (!name.empty()) {
    if (const auto known = names_.find(name); known != names_.end()) {
      replaced.push_back(extract(known->second).finished);
    }
  }
  while (entries_.size() >= kMaxMessages) {
    replaced.push_back(extract(std::prev(order_.end())->id).finished);
  }
  insert({.id = ++last_id_,
          .message = std::move(message),
          .name = std::move(name),
          .finished = std::move(finished)});
  for (const Task& task : replaced) {
    if (task) task();
  }
}

void BroadcastQueue::take(std::size_t node_count, std::size_t overhead_bytes,
                          std::string_view prefix, std::size_t& room_bytes,
                          std::vector<std::string>& out) {
  const int limit = retransmit_limit(retransmit_mult_, node_count);
  const std::size_t fixed_bytes = overhead_bytes + prefix.size();
  std::vector<std::set<Order>::node_type> taken;
  auto position = order_.begin();
  while (position != order_.end() && room_bytes > fixed_bytes) {
    const std::size_t fits_bytes = room_bytes - fixed_bytes;
    if (position->size_bytes > fits_bytes) {
      // The longest of the same count that fits, or the first of the next count.
      position = order_.lower_bound({position->sent, fits_bytes, ~std::uint64_t{0}});
      continue;
    }
    room_bytes -= fixed_bytes + position->size_bytes;
    std::string& message = out.emplace_back();
    message.reserve(prefix.size() + position->size_bytes);
    message.append(prefix).append(entries_.at(position->id).message);
    taken.push_back(order_.extract(position++));
  }
  std::vector<Task> finished;
  for (auto& place : taken) {
    Entry& entry = entries_.at(place.value().id);
    place.value().sent = ++entry.sent;
    const std::uint64_t id = place.value().id;
    const bool is_done = entry.sent >= limit;
    order_.insert(std::move(place));
    if (!is_done) continue;
    if (Task task = extract(id).finished) finished.push_back(std::move(task));
  }
  for (const Task& task : finished) task();
}

void BroadcastQueue::insert(Entry added) {
  const std::uint64_t id = added.id;
  const Entry& entry = entries_.emplace(id, std::move(added)).first->second;
  order_.insert(order_of(entry));
  if (!entry.name.empty()) names_.emplace(entry.name, id);
}

BroadcastQueue::Entry BroadcastQueue::extract(std::uint64_t id) {
  const auto found = entries_.find(id);
  order_.erase(order_of(found->second));
  if (!found->second.name.empty()) names_.erase(found->second.name);
  Entry entry = std::move(found->second);
  entries_.erase(found);
  return entry;
}

}  // namespace dkron::gossip
