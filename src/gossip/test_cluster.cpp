#include "gossip/test_cluster.h"

#include <algorithm>

#include "base/assert.h"

namespace dkron::gossip {

TestNode::TestNode(TestNetwork& network, const Serf::Options& options,
                   std::vector<std::string> keys, std::uint64_t seed)
    : network_(network), endpoint_(options.advertise), random_(seed) {
  if (!keys.empty()) {
    keyring_ = Keyring::make(std::move(keys)).value();
    framing_.keyring = &*keyring_;
  }
  transport_ = network.make_transport(endpoint_);
  const Serf::Environment environment{network.clock(endpoint_), random_, *transport_, framing_,
                                      keyring()};
  serf_ = std::move(Serf::make(options, handlers(), environment).value());
  network.attach(endpoint_, *this);
}

TestNode::~TestNode() {
  network_.detach(endpoint_);
  serf_->stop();
}

Serf& TestNode::serf() {
  network_.clock(endpoint_).move_to(network_.now());
  return *serf_;
}

Serf::Handlers TestNode::handlers() {
  Serf::Handlers handlers;
  handlers.on_member_event = [this](const MemberEvent& event) {
    for (const Member& member : event.members) {
      if (!keeps_news) break;
      news.push_back(std::string(to_string(event.type)) + " " + member.name);
    }
    if (on_member_event) on_member_event(event);
  };
  handlers.on_user_event = [this](const UserEvent& event) { events.push_back(event); };
  handlers.on_query = [this](const IncomingQuery& query) {
    queries.push_back(query);
    if (on_query) on_query(query);
  };
  handlers.on_name_lost = [this] { is_name_lost = true; };
  handlers.on_keyring_changed = [this](const Keyring& ring) {
    if (save_result) saved_keyrings.push_back(ring);
    return save_result;
  };
  return handlers;
}

void TestNode::on_packet(const Endpoint& from, std::string_view datagram) {
  serf_->on_packet(from, datagram);
}

std::optional<StreamMessage> TestNode::on_stream(const StreamMessage& message) {
  return serf_->on_stream(message);
}

MemberStatus TestNode::status(const std::string& name) const {
  const Member* member = serf_->find(name);
  return member == nullptr ? MemberStatus::None : member->status;
}

std::size_t TestNode::count(std::string_view news_text) const {
  return static_cast<std::size_t>(std::ranges::count(news, news_text));
}

TestNode& TestCluster::add(const std::string& name, const Adjust& adjust) {
  return start(name, test_endpoint(++last_number_), adjust);
}

TestNode& TestCluster::restart(const std::string& name, const Adjust& adjust) {
  return start(name, endpoints_.at(name), adjust);
}

TestNode& TestCluster::start(const std::string& name, const Endpoint& endpoint,
                             const Adjust& adjust) {
  Serf::Options options;
  options.name = name;
  options.advertise = endpoint;
  options.coalesce_period = Duration{0};
  if (adjust_) adjust_(options);
  if (adjust) adjust(options);
  // Two nodes of one name are kept apart here by a mark behind it.
  std::string key = name;
  while (nodes_.contains(key)) key += "'";
  endpoints_[key] = endpoint;
  nodes_[key] = std::make_unique<TestNode>(network_, options, keys_, ++seed_);
  nodes_[key]->serf().start();
  return *nodes_[key];
}

void TestCluster::form(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    TestNode& node = add(name);
    if (name != names.front()) DK_ASSERT(join(node, endpoints_.at(names.front())).has_value());
  }
  const bool is_formed = run_until(
      [&] {
        return std::ranges::all_of(
            names, [this](const std::string& name) { return all_see(name, MemberStatus::Alive); });
      },
      seconds(60));
  DK_ASSERT(is_formed);
}

void TestCluster::crash(const std::string& name) {
  nodes_.erase(name);
}

Result<std::size_t> TestCluster::join(TestNode& node, const Endpoint& to, bool ignore_old) {
  std::optional<Result<std::size_t>> joined;
  node->join({to}, ignore_old, [&](Result<std::size_t> result) { joined = std::move(result); });
  run_until([&] { return joined.has_value(); }, seconds(30));
  return joined.value();
}

Result<> TestCluster::leave(TestNode& node) {
  std::optional<Result<>> left;
  node->leave([&](Result<> result) { left = std::move(result); });
  run_until([&] { return left.has_value(); }, seconds(30));
  return left.value();
}

bool TestCluster::all_see(const std::string& name, MemberStatus status) const {
  return std::ranges::all_of(nodes_,
                             [&](const auto& entry) { return entry.second->sees(name, status); });
}

}  // namespace dkron::gossip
