#include "gossip/test_cluster.h"

#include <algorithm>
#include <cstdlib>

#include "base/assert.h"

namespace dkron::gossip {
namespace {

// Streams arrive in pieces of so many bytes, as from a socket.
constexpr std::size_t kPieceBytes = 700;

// What the reader makes of the bytes and the end of the stream behind them.
Result<StreamMessage> read_stream(std::string_view bytes, StreamRole sender,
                                  const Framing& framing) {
  StreamReader reader(framing, sender);
  while (!bytes.empty()) {
    const std::size_t size = std::min(bytes.size(), kPieceBytes);
    Result<std::optional<StreamMessage>> message = reader.feed(bytes.substr(0, size));
    if (!message) return fail(message.error());
    if (*message) return std::move(**message);
    bytes.remove_prefix(size);
  }
  return fail(ErrorCode::Unavailable, "the connection was closed");
}

}  // namespace

std::uint64_t test_seed(std::uint64_t otherwise) {
  const char* seed = std::getenv("SEED");
  return seed == nullptr ? otherwise : std::strtoull(seed, nullptr, 10);
}

Endpoint test_endpoint(int number, std::uint16_t port) {
  const std::string text =
      "10.0." + std::to_string(number / 256) + "." + std::to_string(number % 256);
  return {Ip::parse(text).value(), port};
}

std::string test_packet(const std::string& message) {
  return seal_packet({message}, false, {});
}

std::string test_user_packet(const std::string& serf_message) {
  return test_packet(encode(User{serf_message}));
}

struct TestNetwork::Call {
  Endpoint from;
  Endpoint to;
  std::string request;
  Transport::Reply on_reply;  // Empty once it was called.
  std::weak_ptr<char> alive;  // The transport's.
};

class TestNetwork::LinkTransport final : public Transport {
 public:
  LinkTransport(TestNetwork& network, const Endpoint& self) : network_(network), self_(self) {}

  void send_packet(const Endpoint& to, std::string datagram) override {
    network_.send(self_, to, std::move(datagram));
  }
  void exchange(const Endpoint& to, StreamMessage request, Duration timeout,
                Reply on_reply) override {
    const Listener* self = network_.find(self_);
    DK_ASSERT(self != nullptr);
    auto call = std::make_shared<Call>(
        Call{self_, to, seal_stream(request, StreamRole::Dialler, self->framing()),
             std::move(on_reply), alive_});
    network_.later(timeout,
                   [call] { finish(call, fail(ErrorCode::Timeout, "no answer in time")); });
    network_.call(call);
  }

 private:
  TestNetwork& network_;
  Endpoint self_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

std::unique_ptr<Transport> TestNetwork::make_transport(const Endpoint& self) {
  return std::make_unique<LinkTransport>(*this, self);
}

void TestNetwork::set_link_loss(const Endpoint& from, const Endpoint& to, double probability) {
  link_loss_[{from, to}] = probability;
}

void TestNetwork::send(const Endpoint& from, const Endpoint& to, std::string datagram) {
  ++packets_;
  if (is_cut(from, to) || is_lost(from, to)) return;
  later(random_delay(), [this, from, to, datagram = std::move(datagram)] {
    if (Listener* listener = find(to); listener != nullptr && !is_cut(from, to)) {
      listener->on_packet(from, datagram);
    }
  });
}

void TestNetwork::inject(const Endpoint& to, const std::string& datagram) {
  if (Listener* listener = find(to); listener != nullptr) {
    listener->on_packet(test_endpoint(65'000, 1), datagram);
  }
}

void TestNetwork::call(std::shared_ptr<Call> call) {
  if (is_cut(call->from, call->to)) return;  // The timeout ends it.
  later(random_delay(), [this, call = std::move(call)] {
    if (is_cut(call->from, call->to)) return;
    answer(call);
  });
}

void TestNetwork::answer(const std::shared_ptr<Call>& call) {
  Listener* acceptor = find(call->to);
  std::string reply;
  bool is_refused = acceptor == nullptr;
  if (acceptor != nullptr) {
    const Framing& framing = acceptor->framing();
    const auto request = read_stream(call->request, StreamRole::Dialler, framing);
    const std::optional<StreamMessage> message =
        request ? acceptor->on_stream(*request) : RemoteError{request.error().message};
    if (message) reply = seal_stream(*message, StreamRole::Acceptor, framing);
  }
  later(random_delay(), [this, call, reply = std::move(reply), is_refused] {
    const Listener* dialler = find(call->from);
    if (dialler == nullptr || is_cut(call->from, call->to)) return;
    if (is_refused) return finish(call, fail(ErrorCode::Unavailable, "connection refused"));
    finish(call, read_stream(reply, StreamRole::Acceptor, dialler->framing()));
  });
}

void TestNetwork::finish(const std::shared_ptr<Call>& call, Result<StreamMessage> result) {
  if (call->alive.expired()) return;
  if (const Transport::Reply on_reply = std::exchange(call->on_reply, {})) {
    on_reply(std::move(result));
  }
}

void TestNetwork::later(Duration delay, Task task) {
  const std::uint64_t id = ++last_id_;
  under_way_[id] = timers_.after(delay, [this, id, task = std::move(task)] {
    under_way_.erase(id);
    task();
  });
}

Duration TestNetwork::random_delay() {
  return delay_ + Duration(random_.below(static_cast<std::uint64_t>(jitter_.count()) + 1));
}

bool TestNetwork::is_lost(const Endpoint& from, const Endpoint& to) {
  const auto link = link_loss_.find({from, to});
  const double probability = link == link_loss_.end() ? loss_ : link->second;
  constexpr std::uint64_t kParts = 1'000'000;
  return static_cast<double>(random_.below(kParts)) < probability * static_cast<double>(kParts);
}

bool TestNetwork::is_cut(const Endpoint& a, const Endpoint& b) const {
  return a != b && (cut_.contains(a) || cut_.contains(b));
}

TestNetwork::Listener* TestNetwork::find(const Endpoint& at) const {
  const auto found = listeners_.find(at);
  return found == listeners_.end() ? nullptr : found->second;
}

bool TestNetwork::run_until(const std::function<bool()>& done, Duration at_most) {
  const Duration end = timers_.now() + at_most;
  while (!done()) {
    const std::optional<Duration> next = timers_.next_due();
    if (!next || *next > end) {
      timers_.advance(end);
      return done();
    }
    timers_.advance(*next);
  }
  return true;
}

TestNode::TestNode(TestNetwork& network, const Serf::Options& options,
                   std::vector<std::string> keys, std::uint64_t seed)
    : network_(network), endpoint_(options.advertise), random_(seed) {
  if (!keys.empty()) {
    keyring_ = Keyring::make(std::move(keys)).value();
    framing_.keyring = &*keyring_;
  }
  transport_ = network.make_transport(endpoint_);
  const Serf::Environment environment{network.timers(), random_, *transport_, framing_, keyring()};
  serf_ = std::move(Serf::make(options, handlers(), environment).value());
  network.attach(endpoint_, *this);
}

TestNode::~TestNode() {
  network_.detach(endpoint_);
  serf_->stop();
}

Serf::Handlers TestNode::handlers() {
  Serf::Handlers handlers;
  handlers.on_member_event = [this](const MemberEvent& event) {
    for (const Member& member : event.members) {
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
