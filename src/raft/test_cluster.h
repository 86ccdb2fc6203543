// Several nodes in one process: listening sockets, and a group that grows from one.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "raft/test_network.h"
#include "raft/test_support.h"

namespace dkron::raft::testing {

// A listening socket on the loopback; hands connections to whatever node is attached.
class Acceptor {
 public:
  Acceptor();
  ~Acceptor();
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  std::uint16_t port() const { return port_; }
  void attach(Node* node);
  UniqueFd connect() const;

 private:
  void run();

  UniqueFd listener_;
  UniqueFd wake_;
  std::uint16_t port_ = 0;
  std::mutex mutex_;
  Node* node_ = nullptr;
  std::thread thread_;
};

// A blocking connection to this port of the loopback; closed when there is none.
UniqueFd connect_to_port(std::uint16_t port);

// Servers "server0", "server1" ... , all outside at first.
class Cluster {
 public:
  // With a network the servers dial each other through it, otherwise by themselves over TCP.
  explicit Cluster(std::size_t size, TestNetwork* network = nullptr);
  ~Cluster();

  struct Member {
    std::unique_ptr<TestNode> node;
    std::unique_ptr<Acceptor> acceptor;
  };
  TestNode& node(std::size_t i) { return *members_[i].node; }
  Acceptor& acceptor(std::size_t i) { return *members_[i].acceptor; }
  std::size_t size() const { return members_.size(); }
  bool is_up(std::size_t i) { return node(i).node != nullptr; }

  Result<void> start(std::size_t i);
  void stop(std::size_t i);
  void kill(std::size_t i);
  // Stops it and forgets all that it had.
  void wipe(std::size_t i);
  // Listens on another port from now on.
  void move(std::size_t i);

  // Starts all, lets the first found a cluster and take in the others as voters.
  Result<void> form();
  Result<void> adopt(std::size_t i);  // Into the cluster of the leader.
  Result<void> add(std::size_t leader, std::size_t i);
  Result<void> promote(std::size_t leader, std::size_t i);
  Result<void> remove(std::size_t leader, std::size_t i);
  Result<void> transfer(std::size_t leader, const std::string& name);

  // Runs the loops of all until `done`; false when the deadline passes first.
  bool run_until(const std::function<bool()>& done, Duration limit = kDeadline);
  // The leader, once all others that run and are voters agree on it; nullopt when not in time.
  std::optional<std::size_t> wait_for_leader();
  bool wait_for_values(std::size_t i, std::size_t count);

 private:
  void attach(std::size_t i, Node* node);

  TemporaryDirectory directory_;
  TestLoop loop_;
  TestNetwork* network_;
  std::vector<Member> members_;
};

}  // namespace dkron::raft::testing
