#include "raft/test_cluster.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace dkron::raft::testing {
namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

}  // namespace

Acceptor::Acceptor()
    : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)),
      wake_(::eventfd(0, EFD_CLOEXEC)) {
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(listener_.get(), 16) != 0 ||
      ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::abort();
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { run(); });
}

Acceptor::~Acceptor() {
  const std::uint64_t one = 1;
  if (::write(wake_.get(), &one, sizeof one) != sizeof one) std::abort();
  thread_.join();
}

void Acceptor::attach(Node* node) {
  const std::lock_guard lock(mutex_);
  node_ = node;
}

UniqueFd Acceptor::connect() const {
  return connect_to_port(port_);
}

void Acceptor::run() {
  for (;;) {
    pollfd waiting[] = {{listener_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}};
    if (::poll(waiting, 2, -1) < 0) continue;
    if (waiting[1].revents != 0) return;
    UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const std::lock_guard lock(mutex_);
    if (fd.is_open() && node_ != nullptr) node_->accept(std::move(fd));
  }
}

UniqueFd connect_to_port(std::uint16_t port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = loopback(port);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    fd.reset();
  }
  return fd;
}

Cluster::Cluster(std::size_t size, TestNetwork* network) : network_(network) {
  for (std::size_t i = 0; i < size; ++i) {
    const std::string name = "server" + std::to_string(i);
    Member member;
    member.acceptor = std::make_unique<Acceptor>();
    member.node = std::make_unique<TestNode>(directory_.path() / name, name);
    member.node->options.address = member.acceptor->address();
    member.node->options.bootstrap = false;
    member.node->loop = loop_;
    member.node->options.post = loop_.post();
    if (network_ != nullptr) member.node->options.dial = network_->dialer(name);
    members_.push_back(std::move(member));
  }
}

Cluster::~Cluster() {
  for (std::size_t i = 0; i < size(); ++i) stop(i);
}

Result<void> Cluster::start(std::size_t i) {
  if (auto opened = node(i).open(); !opened) return opened;
  attach(i, node(i).node.get());
  return {};
}

void Cluster::attach(std::size_t i, Node* node_to_reach) {
  acceptor(i).attach(node_to_reach);
  if (network_ != nullptr) network_->attach(node(i).options.node_name, node_to_reach);
}

void Cluster::stop(std::size_t i) {
  attach(i, nullptr);
  if (is_up(i)) node(i).node->close();
  node(i).node.reset();
}

void Cluster::kill(std::size_t i) {
  attach(i, nullptr);
  node(i).node.reset();
}

void Cluster::wipe(std::size_t i) {
  stop(i);
  std::filesystem::remove_all(node(i).options.directory.parent_path());
}

void Cluster::move(std::size_t i) {
  acceptor(i).attach(nullptr);
  members_[i].acceptor = std::make_unique<Acceptor>();
  node(i).options.address = acceptor(i).address();
  acceptor(i).attach(node(i).node.get());
}

Result<void> Cluster::form() {
  for (std::size_t i = 0; i < size(); ++i) {
    if (auto started = start(i); !started) return started;
  }
  auto founded = node(0).ask([](Node& n, Node::OnDone done) { n.found(std::move(done)); });
  if (!founded) return founded;
  for (std::size_t i = 1; i < size(); ++i) {
    if (auto adopted = adopt(i); !adopted) return adopted;
    if (auto added = add(0, i); !added) return added;
    if (auto promoted = promote(0, i); !promoted) return promoted;
  }
  return {};
}

Result<void> Cluster::adopt(std::size_t i) {
  std::uint64_t cluster_id = 0;
  for (std::size_t other = 0; other < size(); ++other) {
    if (other == i || !is_up(other)) continue;
    cluster_id = std::max(cluster_id, node(other).node->identity().cluster_id);
  }
  return node(i).ask([&](Node& n, Node::OnDone done) { n.adopt(cluster_id, 0, std::move(done)); });
}

Result<void> Cluster::add(std::size_t leader, std::size_t i) {
  const Options& options = node(i).options;
  return node(leader).ask([&](Node& n, Node::OnDone done) {
    n.add_server(options.node_name, options.address, std::move(done));
  });
}

Result<void> Cluster::promote(std::size_t leader, std::size_t i) {
  return node(leader).ask(
      [&](Node& n, Node::OnDone done) { n.promote(node(i).options.node_name, std::move(done)); });
}

Result<void> Cluster::remove(std::size_t leader, std::size_t i) {
  const std::uint64_t id = server_id(node(i).options.node_name);
  return node(leader).ask(
      [&](Node& n, Node::OnDone done) { n.remove_server(id, std::move(done)); });
}

Result<void> Cluster::transfer(std::size_t leader, const std::string& name) {
  return node(leader).ask(
      [&](Node& n, Node::OnDone done) { n.transfer_leadership(name, std::move(done)); });
}

bool Cluster::run_until(const std::function<bool()>& done, Duration limit) {
  return loop_.run_until(done, limit);
}

std::optional<std::size_t> Cluster::wait_for_leader() {
  std::optional<std::size_t> leader;
  run_until([&] {
    leader.reset();
    for (std::size_t i = 0; i < size(); ++i) {
      if (is_up(i) && node(i).is_leader()) leader = i;
    }
    for (std::size_t i = 0; i < size() && leader; ++i) {
      if (!is_up(i)) continue;
      const Status status = node(i).node->status();
      const bool is_in = std::any_of(
          status.configuration.begin(), status.configuration.end(),
          [&](const Server& server) { return server.node_name == node(i).options.node_name; });
      if (is_in && status.leader_name != node(*leader).options.node_name) leader.reset();
    }
    return leader.has_value();
  });
  return leader;
}

bool Cluster::wait_for_values(std::size_t i, std::size_t count) {
  return run_until([&] { return node(i).machine->values().size() == count; });
}

}  // namespace dkron::raft::testing
