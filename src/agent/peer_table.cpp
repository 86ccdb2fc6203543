#include "agent/peer_table.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/log.h"

namespace dkron::agent {
namespace {

std::string tag_of(const gossip::Tags& tags, std::string_view key) {
  const auto found = tags.find(std::string(key));
  return found == tags.end() ? std::string() : found->second;
}

int number_of(const std::string& text) {
  int number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

Peer to_peer(const gossip::Member& member, gossip::Tags tags) {
  Peer peer;
  peer.name = member.name;
  peer.status = member.status;
  peer.rpc_address = tag_of(tags, "rpc_addr");
  peer.is_server = tag_of(tags, "server") == "true";
  peer.has_journal = tags.contains(std::string(kLedgerTag));
  peer.leaves_for_good = tags.contains(std::string(kLeavingTag));
  peer.is_draining = tags.contains(std::string(kDrainingTag));
  peer.expect = number_of(tag_of(tags, "expect"));
  peer.cluster_id = tag_of(tags, kClusterIdTag);
  peer.tags = std::move(tags);
  return peer;
}

struct Wish {
  std::vector<std::pair<std::string, std::string>> tags;
  std::size_t count = std::numeric_limits<std::size_t>::max();
};

Wish read_wish(const std::optional<model::StringMap>& tags) {
  Wish wish;
  if (!tags) return wish;
  for (const auto& [key, value] : *tags) {
    const auto filter = model::parse_tag_filter(value);
    if (!filter) {
      log::error("improper cardinality specified for tag " + key + ": " + value);
      wish.count = 0;
      return wish;
    }
    wish.tags.emplace_back(key, filter->value);
    if (filter->count) wish.count = std::min<std::size_t>(wish.count, *filter->count);
  }
  return wish;
}

bool matches(const Peer& peer, const Wish& wish) {
  return std::all_of(wish.tags.begin(), wish.tags.end(), [&peer](const auto& tag) {
    const auto own = peer.tags.find(tag.first);
    return own != peer.tags.end() && own->second == tag.second;
  });
}

}  // namespace

void PeerTable::apply(const gossip::MemberEvent& event) {
  for (const gossip::Member& member : event.members) {
    if (event.type == gossip::MemberEvent::Type::Reap) {
      peers_.erase(member.name);
    } else {
      apply(member);
    }
  }
}

void PeerTable::apply(const gossip::Member& member) {
  gossip::Tags tags = member.tags();
  if (tag_of(tags, "role") != "dkron" || tag_of(tags, "region") != region_) {
    peers_.erase(member.name);
    return;
  }
  Peer peer = to_peer(member, std::move(tags));
  if (!peer.is_alive()) {
    const Peer* before = find(member.name);
    const bool was_gone = before != nullptr && !before->is_alive();
    peer.gone_since = was_gone ? before->gone_since : clock_.steady();
  }
  peers_[member.name] = std::move(peer);
}

const Peer* PeerTable::find(const std::string& name) const {
  const auto found = peers_.find(name);
  return found == peers_.end() ? nullptr : &found->second;
}

bool PeerTable::is_alive(const std::string& name) const {
  const Peer* peer = find(name);
  return peer != nullptr && peer->is_alive();
}

std::string PeerTable::rpc_address(const std::string& name,
                                   const std::string& known_address) const {
  const Peer* peer = find(name);
  return peer != nullptr && !peer->rpc_address.empty() ? peer->rpc_address : known_address;
}

std::vector<const Peer*> PeerTable::alive_servers() const {
  std::vector<const Peer*> servers;
  for (const auto& [name, peer] : peers_) {
    if (peer.is_server && peer.is_alive() && !peer.rpc_address.empty()) servers.push_back(&peer);
  }
  return servers;
}

std::vector<std::string> PeerTable::select(const std::optional<model::StringMap>& tags,
                                           Random& random) const {
  const Wish wish = read_wish(tags);
  if (wish.count == 0) return {};
  std::vector<std::string> names;
  for (const auto& [name, peer] : peers_) {
    const bool takes_runs = peer.is_alive() && !peer.is_draining && !peer.rpc_address.empty();
    if (takes_runs && matches(peer, wish)) names.push_back(name);
  }
  // The first `count` of a shuffled list.
  for (std::size_t i = 0; wish.count < names.size() && i < wish.count; ++i) {
    std::swap(names[i], names[i + random.below(names.size() - i)]);
  }
  if (wish.count < names.size()) names.resize(wish.count);
  return names;
}

}  // namespace dkron::agent
