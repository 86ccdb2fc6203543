#include "gossip/test_network.h"

#include <algorithm>
#include <cstdlib>
#include <deque>

#include "base/assert.h"

namespace dkron::gossip {
namespace {

// Streams arrive in pieces of so many bytes, as from a socket.
constexpr std::size_t kPieceBytes = 700;
// What a frozen node's socket holds; more is lost.
constexpr std::size_t kMaxHeldPackets = 1024;
// Packets that the program takes before it looks at its timers (socket_transport.cpp).
constexpr std::size_t kPacketsPerTurn = 64;
// TCP's first pauses before it sends again; each further one is twice as long.
constexpr Duration kFirstConnectRetry = seconds(1);
constexpr Duration kFirstRetry = milliseconds(200);

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

// An endpoint and the process behind it, if any. Never forgotten.
struct TestNetwork::Host {
  Host(const Endpoint& at, Duration now) : endpoint(at), clock(now) {}

  Endpoint endpoint;
  Timers clock;
  Listener* listener = nullptr;
  bool is_cut = false;
  int group = 0;
  bool is_frozen = false;
  bool is_stuck = false;
  std::deque<Task> held;      // What arrived while it was frozen or stuck.
  std::deque<Task> held_out;  // What it sent while it was stuck.
  bool is_waking = false;
  Timers::Handle wake;  // Of the world.
  Traffic traffic;
};

struct TestNetwork::Call {
  Host* from;
  Host* to;
  std::string request;
  Transport::Reply on_reply;  // Empty once it was called.
  std::weak_ptr<char> alive;  // The transport's.
};

class TestNetwork::LinkTransport final : public Transport {
 public:
  LinkTransport(TestNetwork& network, Host& self) : network_(network), self_(self) {}

  void send_packet(const Endpoint& to, std::string datagram) override {
    network_.send(self_, to, std::move(datagram));
  }
  void exchange(const Endpoint& to, StreamMessage request, Duration timeout,
                Reply on_reply) override {
    DK_ASSERT(self_.listener != nullptr);
    auto call = std::make_shared<Call>(
        Call{&self_, &network_.host(to),
             seal_stream(request, StreamRole::Dialler, self_.listener->framing()),
             std::move(on_reply), alive_});
    ++self_.traffic.streams_out;
    self_.traffic.stream_bytes_out += call->request.size();
    network_.later(timeout, [&network = network_, call] {
      if (call->alive.expired() || !call->on_reply) return;
      const auto time_out = [call] { finish(call, fail(ErrorCode::Timeout, "no answer in time")); };
      if (call->from->is_frozen) return call->from->held.push_back(time_out);
      call->from->clock.move_to(network.now());
      time_out();
    });
    network_.call(call);
  }

 private:
  TestNetwork& network_;
  Host& self_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

TestNetwork::TestNetwork(std::uint64_t seed) : random_(seed), timers_(Duration{0}) {}

TestNetwork::~TestNetwork() = default;

std::size_t TestNetwork::HashEndpoint::operator()(const Endpoint& endpoint) const {
  // The last four bytes are the same in both forms of an IPv4 address.
  const std::string_view bytes = endpoint.ip.wire();
  std::size_t hash = endpoint.port;
  for (const char c : bytes.substr(bytes.size() - std::min<std::size_t>(bytes.size(), 4))) {
    hash = hash * 257 + static_cast<std::uint8_t>(c);
  }
  return hash;
}

TestNetwork::Host& TestNetwork::host(const Endpoint& at) {
  std::unique_ptr<Host>& host = hosts_[at];
  if (host == nullptr) {
    host = std::make_unique<Host>(at, timers_.now());
    host->clock.on_new_next([this, h = host.get()] {
      if (!h->is_waking) arm(*h);
    });
  }
  return *host;
}

Timers& TestNetwork::clock(const Endpoint& at) {
  return host(at).clock;
}

void TestNetwork::attach(const Endpoint& at, Listener& listener) {
  host(at).listener = &listener;
}

void TestNetwork::detach(const Endpoint& at) {
  Host& gone = host(at);
  gone.listener = nullptr;
  gone.is_frozen = false;
  gone.is_stuck = false;
  gone.held.clear();
  gone.held_out.clear();
}

std::unique_ptr<Transport> TestNetwork::make_transport(const Endpoint& self) {
  return std::make_unique<LinkTransport>(*this, host(self));
}

const TestNetwork::Traffic& TestNetwork::traffic(const Endpoint& of) {
  return host(of).traffic;
}

void TestNetwork::set_link_loss(const Endpoint& from, const Endpoint& to, double probability) {
  link_loss_[{from, to}] = probability;
}

void TestNetwork::cut(const Endpoint& node) {
  host(node).is_cut = true;
}

void TestNetwork::mend(const Endpoint& node) {
  host(node).is_cut = false;
}

void TestNetwork::set_group(const Endpoint& node, int group) {
  host(node).group = group;
}

void TestNetwork::freeze(const Endpoint& node) {
  host(node).is_frozen = true;
}

void TestNetwork::thaw(const Endpoint& node) {
  Host& host = this->host(node);
  if (!std::exchange(host.is_frozen, false)) return;
  std::deque<Task> held = std::exchange(host.held, {});
  std::size_t taken = 0;
  for (; taken < std::min(held.size(), kPacketsPerTurn); ++taken) run_at(host, held[taken]);
  wake(host);
  for (; taken < held.size(); ++taken) run_at(host, held[taken]);
}

void TestNetwork::stick(const Endpoint& node) {
  host(node).is_stuck = true;
}

void TestNetwork::loosen(const Endpoint& node) {
  Host& host = this->host(node);
  if (!std::exchange(host.is_stuck, false)) return;
  for (const Task& task : std::exchange(host.held, {})) run_at(host, task);
  for (const Task& task : std::exchange(host.held_out, {})) task();
}

void TestNetwork::send(Host& from, const Endpoint& to, std::string datagram) {
  ++packets_;
  ++from.traffic.packets_out;
  from.traffic.packet_bytes_out += datagram.size();
  Host& target = host(to);
  if (!from.is_stuck) return carry(from, target, std::move(datagram));
  if (from.held_out.size() >= kMaxHeldPackets) return;
  from.held_out.push_back(
      [this, &from, &target, datagram = std::move(datagram)] { carry(from, target, datagram); });
}

void TestNetwork::carry(Host& from, Host& target, std::string datagram) {
  if (is_cut(from, target) || is_lost(from.endpoint, target.endpoint)) return;
  later(random_delay(), [this, &from, &target, datagram = std::move(datagram)]() mutable {
    if (target.listener == nullptr || is_cut(from, target)) return;
    if (target.held.size() >= kMaxHeldPackets) return;
    run_at(target, [&from, &target, datagram = std::move(datagram)] {
      ++target.traffic.packets_in;
      target.listener->on_packet(from.endpoint, datagram);
    });
  });
}

void TestNetwork::inject(const Endpoint& to, const std::string& datagram) {
  Host& target = host(to);
  if (target.listener == nullptr) return;
  run_at(target,
         [&target, datagram] { target.listener->on_packet(test_endpoint(65'000, 1), datagram); });
}

void TestNetwork::call(std::shared_ptr<Call> call) {
  if (is_cut(*call->from, *call->to)) return;  // The timeout ends it.
  if (call->from->is_stuck) {
    call->from->held_out.push_back([this, call] { this->call(call); });
    return;
  }
  // A connection is made by two packets, then the request is one more.
  const Duration delay = retried(kFirstConnectRetry, 2) + retried(kFirstRetry, 1);
  later(delay, [this, call = std::move(call)] {
    if (is_cut(*call->from, *call->to)) return;
    run_at(*call->to, [this, call] { answer(call); });
  });
}

void TestNetwork::answer(const std::shared_ptr<Call>& call) {
  Listener* acceptor = call->to->listener;
  std::string reply;
  bool is_refused = acceptor == nullptr;
  if (acceptor != nullptr) {
    const Framing& framing = acceptor->framing();
    const auto request = read_stream(call->request, StreamRole::Dialler, framing);
    const std::optional<StreamMessage> message =
        request ? acceptor->on_stream(*request) : RemoteError{request.error().message};
    if (message) reply = seal_stream(*message, StreamRole::Acceptor, framing);
  }
  call->to->traffic.stream_bytes_out += reply.size();
  later(retried(kFirstRetry, 1), [this, call, reply = std::move(reply), is_refused] {
    if (call->from->listener == nullptr || is_cut(*call->from, *call->to)) return;
    run_at(*call->from, [call, reply, is_refused] {
      if (is_refused) return finish(call, fail(ErrorCode::Unavailable, "connection refused"));
      finish(call, read_stream(reply, StreamRole::Acceptor, call->from->listener->framing()));
    });
  });
}

void TestNetwork::finish(const std::shared_ptr<Call>& call, Result<StreamMessage> result) {
  if (call->alive.expired()) return;
  if (const Transport::Reply on_reply = std::exchange(call->on_reply, {})) {
    on_reply(std::move(result));
  }
}

void TestNetwork::run_at(Host& host, Task task) {
  if (host.is_frozen || host.is_stuck) {
    host.held.push_back(std::move(task));
    return;
  }
  host.clock.move_to(timers_.now());
  task();
}

void TestNetwork::wake(Host& host) {
  if (host.is_frozen) return;
  host.is_waking = true;
  host.clock.catch_up(timers_.now());
  host.is_waking = false;
  arm(host);
}

void TestNetwork::arm(Host& host) {
  const std::optional<Duration> next = host.clock.next_due();
  if (!next) return host.wake.cancel();
  host.wake = timers_.after(*next - timers_.now(), [this, &host] { wake(host); });
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

Duration TestNetwork::retried(Duration first_retry, int packets) {
  Duration delay = random_delay();
  for (Duration retry = first_retry; is_any_lost(packets); retry *= 2) delay += retry;
  return delay;
}

bool TestNetwork::is_any_lost(int packets) {
  if (loss_ <= 0) return false;
  bool is_any = false;
  for (int i = 0; i < packets; ++i) is_any |= happens(loss_);
  return is_any;
}

bool TestNetwork::happens(double probability) {
  constexpr std::uint64_t kParts = 1'000'000;
  return static_cast<double>(random_.below(kParts)) < probability * static_cast<double>(kParts);
}

bool TestNetwork::is_lost(const Endpoint& from, const Endpoint& to) {
  double probability = loss_;
  if (!link_loss_.empty()) {
    const auto link = link_loss_.find({from, to});
    if (link != link_loss_.end()) probability = link->second;
  }
  return happens(probability);
}

bool TestNetwork::is_cut(const Host& a, const Host& b) {
  return &a != &b && (a.is_cut || b.is_cut || a.group != b.group);
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

}  // namespace dkron::gossip
