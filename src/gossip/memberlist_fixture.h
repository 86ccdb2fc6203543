// One memberlist alone with a recording network, for the tests of what it says to what it hears.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gossip/memberlist.h"

namespace dkron::gossip {

inline Ip ip(const char* text) {
  return *Ip::parse(text);
}
inline Endpoint at(int last, std::uint16_t port = 8946) {
  return {ip(("10.0.0." + std::to_string(last)).c_str()), port};
}

// What the memberlist asked the network and told the layer above, as words.
class Recorder final : public Transport, public Delegate {
 public:
  struct Packet {
    Endpoint to;
    std::vector<Message> messages;
  };
  struct Exchange {
    Endpoint to;
    StreamMessage request;
    Duration timeout;
    Reply reply;
  };

  void send_packet(const Endpoint& to, std::string datagram) override {
    const auto opened = open_packet(datagram, framing);
    ASSERT_TRUE(opened) << opened.error().message;
    Packet packet{to, {}};
    for (const std::string& bytes : opened->messages) {
      packet.messages.push_back(*decode_message(bytes));
    }
    packets.push_back(std::move(packet));
  }
  void exchange(const Endpoint& to, StreamMessage request, Duration timeout, Reply reply) override {
    exchanges.push_back({to, std::move(request), timeout, std::move(reply)});
  }

  Result<> accept(const NodeRecord& node) override {
    if (node.meta == "foreign") return fail(ErrorCode::Conflict, "another cluster");
    return {};
  }
  void on_join(const NodeRecord& node) override { events.push_back("join " + node.name); }
  void on_leave(const NodeRecord& node) override {
    events.push_back((node.state == NodeState::Left ? "left " : "dead ") + node.name);
  }
  void on_update(const NodeRecord& node) override {
    events.push_back("update " + node.name + " " + node.meta);
  }
  void on_conflict(const NodeRecord& known, const Alive& other) override {
    events.push_back("conflict " + known.name + " " + Endpoint{other.ip, other.port}.to_string());
  }
  void on_user_message(std::string_view payload) override {
    events.push_back("user " + std::string(payload));
  }
  void take_broadcasts(std::size_t, std::size_t&, std::vector<std::string>&) override {}
  std::string local_state(bool is_join) override { return is_join ? "joining" : "state"; }
  void merge_remote_state(std::string_view state, bool) override {
    events.push_back("merge " + std::string(state));
  }
  std::string ack_payload() override { return "coordinate"; }
  void on_ping_complete(const NodeRecord& node, Duration round_trip,
                        std::string_view payload) override {
    events.push_back("pinged " + node.name + " " + format_duration(round_trip) + " " +
                     std::string(payload));
  }

  // The messages of that kind that were sent, with their receivers; forgets them.
  template <class Kind>
  std::vector<std::pair<Endpoint, Kind>> take() {
    std::vector<std::pair<Endpoint, Kind>> found;
    for (Packet& packet : packets) {
      std::erase_if(packet.messages, [&](const Message& message) {
        const Kind* kind = std::get_if<Kind>(&message);
        if (kind != nullptr) found.emplace_back(packet.to, *kind);
        return kind != nullptr;
      });
    }
    return found;
  }
  std::vector<std::string> take_events() { return std::exchange(events, {}); }

  Framing framing{"", nullptr, false};
  std::vector<Packet> packets;
  std::vector<Exchange> exchanges;
  std::vector<std::string> events;
};

using Events = std::vector<std::string>;

class MemberlistTest : public testing::Test {
 protected:
  MemberlistTest() : timers_(seconds(1000)), random_(7) {
    list_.emplace(Memberlist::Options{"self", at(1), "meta", {}, Profile{}},
                  Memberlist::Environment{timers_, random_, net_, net_, net_.framing});
    list_->start();
    EXPECT_EQ(net_.take_events(), Events{"join self"});
  }

  void pass(Duration time) { timers_.advance(timers_.now() + time); }
  template <class Kind>
  void hear(const Kind& message, const Endpoint& from = at(9)) {
    list_->on_packet(from, seal_packet({encode(message)}, false, net_.framing));
  }
  static Alive alive(int number, std::uint32_t incarnation = 1, const std::string& meta = "m") {
    return {incarnation, "n" + std::to_string(number), at(number).ip, 8946, meta, {}};
  }
  static Alive alive_at(const std::string& name, const Endpoint& where, std::uint32_t incarnation) {
    return {incarnation, name, where.ip, where.port, "m", {}};
  }
  // Members n2 ... n(count + 1), which answer no ping unless the test does.
  void learn(int count) {
    for (int i = 2; i < count + 2; ++i) hear(alive(i));
    net_.take_events();
  }
  NodeState state_of(const std::string& name) const {
    const Node* node = list_->nodes().find(name);
    return node == nullptr ? NodeState::Dead : node->record.state;
  }
  // Runs on to the very moment in which a ping goes out.
  std::pair<Endpoint, Ping> next_ping() {
    for (int i = 0; i < 1000; ++i) {
      auto pings = net_.take<Ping>();
      if (!pings.empty()) return pings.front();
      timers_.advance(*timers_.next_due());
    }
    ADD_FAILURE() << "no ping was sent";
    return {};
  }
  // Runs the probe's whole round without an answer.
  std::pair<Endpoint, Ping> unanswered_ping() {
    const auto ping = next_ping();
    pass(milliseconds(1000));
    return ping;
  }

  Timers timers_;
  SeededRandom random_;
  Recorder net_;
  std::optional<Memberlist> list_;
};

}  // namespace dkron::gossip
