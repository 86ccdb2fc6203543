#include "raft/test_network.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <vector>

namespace dkron::raft::testing {
namespace {

constexpr std::size_t kChunkBytes = 64 * 1024;

std::pair<UniqueFd, UniqueFd> make_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

}  // namespace

// One direction of a connection.
struct TestNetwork::Stream {
  int from = -1;
  int to = -1;
  bool is_back = false;  // From the one that was dialed.
  std::string bytes;     // Read and not written.
};

struct TestNetwork::Link {
  std::string from;
  std::string to;
  UniqueFd near;
  UniqueFd far;
  bool is_snapshot = false;
  bool is_known = false;  // The first bytes have told which kind it is.
  Stream forth;
  Stream back;
};

TestNetwork::TestNetwork() : wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  thread_ = std::thread([this] { run(); });
}

TestNetwork::~TestNetwork() {
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
  }
  wake();
  thread_.join();
}

void TestNetwork::wake() {
  const std::uint64_t one = 1;
  if (::write(wake_.get(), &one, sizeof one) < 0 && errno != EAGAIN) std::abort();
}

decltype(Options::dial) TestNetwork::dialer(std::string from) {
  return [this, from = std::move(from)](const Server& server,
                                        const std::function<void(Result<UniqueFd>)>& done) {
    dial(from, server, done);
  };
}

void TestNetwork::dial(const std::string& from, const Server& server,
                       const std::function<void(Result<UniqueFd>)>& done) {
  auto [dialer_end, near] = make_pair();
  auto [dialed_end, far] = make_pair();
  {
    const std::lock_guard lock(mutex_);
    Node* node = nodes_[server.node_name];
    if (node == nullptr) {
      return done(fail(ErrorCode::Unavailable, server.node_name + " is not on the network"));
    }
    auto link = std::make_unique<Link>();
    link->from = from;
    link->to = server.node_name;
    link->forth = {near.get(), far.get(), false, {}};
    link->back = {far.get(), near.get(), true, {}};
    link->near = std::move(near);
    link->far = std::move(far);
    links_.push_back(std::move(link));
    node->accept(std::move(dialed_end));
  }
  wake();
  done(std::move(dialer_end));
}

void TestNetwork::attach(const std::string& name, Node* node) {
  const std::lock_guard lock(mutex_);
  nodes_[name] = node;
}

void TestNetwork::cut(const std::string& name) {
  const std::lock_guard lock(mutex_);
  cut_.insert(name);
}

void TestNetwork::heal(const std::string& name) {
  {
    const std::lock_guard lock(mutex_);
    cut_.erase(name);
  }
  wake();
}

std::uint64_t TestNetwork::snapshot_bytes() const {
  const std::lock_guard lock(mutex_);
  return snapshot_bytes_;
}

void TestNetwork::set_snapshot_limit(std::uint64_t bytes) {
  {
    const std::lock_guard lock(mutex_);
    snapshot_limit_ = bytes;
  }
  wake();
}

void TestNetwork::falsify_snapshot_byte(std::uint64_t number) {
  const std::lock_guard lock(mutex_);
  falsified_byte_ = number;
}

bool TestNetwork::is_held(const Link& link, const Stream& stream) const {
  if (cut_.contains(link.from) || cut_.contains(link.to)) return true;
  return link.is_snapshot && stream.is_back && snapshot_bytes_ >= snapshot_limit_;
}

void TestNetwork::run() {
  for (;;) {
    std::vector<pollfd> waiting = {{wake_.get(), POLLIN, 0}};
    {
      const std::lock_guard lock(mutex_);
      if (is_ending_) return;
      for (const auto& link : links_) {
        for (const Stream* stream : {&link->forth, &link->back}) {
          if (is_held(*link, *stream)) continue;
          const bool is_empty = stream->bytes.empty();
          waiting.push_back({is_empty ? stream->from : stream->to,
                             static_cast<short>(is_empty ? POLLIN : POLLOUT), 0});
        }
      }
    }
    if (::poll(waiting.data(), waiting.size(), -1) < 0 && errno != EINTR) std::abort();
    std::uint64_t wakes = 0;
    if (::read(wake_.get(), &wakes, sizeof wakes) < 0 && errno != EAGAIN) std::abort();
    const std::lock_guard lock(mutex_);
    std::erase_if(links_, [this](const auto& link) {
      return !pump(*link, link->forth) || !pump(*link, link->back);
    });
  }
}

bool TestNetwork::pump(Link& link, Stream& stream) {
  if (is_held(link, stream)) return true;
  if (stream.bytes.empty()) {
    stream.bytes.resize(kChunkBytes);
    const ssize_t n = ::recv(stream.from, stream.bytes.data(), kChunkBytes, MSG_DONTWAIT);
    stream.bytes.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    if (n == 0 || (n < 0 && errno != EAGAIN)) return false;
    if (n > 0) on_bytes(link, stream);
  }
  if (stream.bytes.empty()) return true;
  const ssize_t n =
      ::send(stream.to, stream.bytes.data(), stream.bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n < 0) return errno == EAGAIN;
  stream.bytes.erase(0, static_cast<std::size_t>(n));
  return true;
}

void TestNetwork::on_bytes(Link& link, Stream& stream) {
  if (!stream.is_back && !link.is_known) {
    link.is_known = true;
    link.is_snapshot = stream.bytes.starts_with("DKSNAP1");
  }
  if (!link.is_snapshot || !stream.is_back) return;
  if (falsified_byte_ >= snapshot_bytes_ &&
      falsified_byte_ - snapshot_bytes_ < stream.bytes.size()) {
    char& byte = stream.bytes[falsified_byte_ - snapshot_bytes_];
    byte = static_cast<char>(byte ^ 0x55);
    falsified_byte_ = UINT64_MAX;
  }
  snapshot_bytes_ += stream.bytes.size();
}

}  // namespace dkron::raft::testing
