#include "gossip/node_table.h"

#include <algorithm>
#include <utility>

namespace dkron::gossip {

Node* NodeTable::find(std::string_view name) {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second;
}

const Node* NodeTable::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second;
}

Node* NodeTable::add(NodeRecord record, Duration now) {
  if (order_.size() >= kMaxNodes) return nullptr;
  auto node = std::make_unique<Node>();
  node->record = std::move(record);
  node->record.state = NodeState::Dead;
  node->record.incarnation = 0;
  node->changed = now;
  Node* added = node.get();
  by_name_[added->record.name] = added;
  order_.push_back(std::move(node));
  std::swap(order_.back(), order_[random_.below(order_.size())]);
  return added;
}

bool NodeTable::is_sound() const {
  return by_name_.size() == order_.size() && std::ranges::all_of(order_, [this](const auto& node) {
           return find(node->record.name) == node.get();
         });
}

Node* NodeTable::next_to_probe(const std::function<bool(const Node&)>& wanted,
                               const std::function<bool(const Node&)>& expired) {
  for (std::size_t considered = 0; considered < order_.size();) {
    if (next_ >= order_.size()) {
      drop_and_shuffle(expired);
      next_ = 0;
      // The end of the order counts, so that the search ends when nothing is wanted.
      ++considered;
      continue;
    }
    Node* node = order_[next_++].get();
    ++considered;
    if (wanted(*node)) return node;
  }
  return nullptr;
}

void NodeTable::drop_and_shuffle(const std::function<bool(const Node&)>& expired) {
  std::erase_if(order_, [&](const std::unique_ptr<Node>& node) {
    if (!expired(*node)) return false;
    by_name_.erase(node->record.name);
    return true;
  });
  for (std::size_t i = order_.size(); i > 1; --i) {
    std::swap(order_[i - 1], order_[random_.below(i)]);
  }
}

std::vector<Node*> NodeTable::pick(std::size_t count,
                                   const std::function<bool(const Node&)>& wanted) {
  std::vector<Node*> picked;
  const std::size_t size = order_.size();
  const auto take = [&](Node* node) {
    if (wanted(*node) && std::ranges::find(picked, node) == picked.end()) picked.push_back(node);
  };
  if (size < 3 * count) {
    std::vector<Node*> all;
    for (const auto& node : order_) all.push_back(node.get());
    for (std::size_t i = all.size(); i > 0 && picked.size() < count; --i) {
      std::swap(all[i - 1], all[random_.below(i)]);
      take(all[i - 1]);
    }
    return picked;
  }
  for (std::size_t draw = 0; draw < 3 * size && picked.size() < count; ++draw) {
    take(order_[random_.below(size)].get());
  }
  return picked;
}

}  // namespace dkron::gossip
