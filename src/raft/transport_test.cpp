// Hellos, and three servers in one process.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "raft/address.h"
#include "raft/hello.h"
#include "raft/test_support.h"

namespace dkron::raft {
namespace {

using testing::TemporaryDirectory;
using testing::TestLoop;
using testing::TestNode;

// A listening socket on the loopback; hands connections to whatever node is attached.
class Acceptor {
 public:
  Acceptor()
      : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)),
        wake_(::eventfd(0, EFD_CLOEXEC)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(listener_.get(), 16) != 0 ||
        ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      std::abort();
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~Acceptor() {
    const std::uint64_t one = 1;
    if (::write(wake_.get(), &one, sizeof one) != sizeof one) std::abort();
    thread_.join();
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  void attach(Node* node) {
    const std::lock_guard lock(mutex_);
    node_ = node;
  }
  UniqueFd connect() const {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(port_);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      std::abort();
    }
    return fd;
  }

 private:
  void run() {
    for (;;) {
      pollfd waiting[] = {{listener_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}};
      if (::poll(waiting, 2, -1) < 0) continue;
      if (waiting[1].revents != 0) return;
      UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      const std::lock_guard lock(mutex_);
      if (fd.is_open() && node_ != nullptr) node_->accept(std::move(fd));
    }
  }

  UniqueFd listener_;
  UniqueFd wake_;
  std::uint16_t port_ = 0;
  std::mutex mutex_;
  Node* node_ = nullptr;
  std::thread thread_;
};

TEST(Hello, comes_back_as_it_was) {
  const Hello hello{1, 2, server_id("a"), "a@[::1]:6868"};
  const std::string bytes = encode_hello(hello);
  EXPECT_EQ(bytes[0], 'D');
  EXPECT_EQ(*hello_size(std::string_view(bytes).substr(0, kHelloHeadBytes)), bytes.size());
  auto decoded = decode_hello(bytes);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->cluster_id, 1u);
  EXPECT_EQ(decoded->recovery_epoch, 2u);
  EXPECT_EQ(decoded->sender_id, server_id("a"));
  EXPECT_EQ(decoded->sender_address, "a@[::1]:6868");
  EXPECT_FALSE(decode_hello(bytes + "x"));
  EXPECT_FALSE(hello_size(bytes.substr(0, kHelloHeadBytes - 1)));
  EXPECT_FALSE(hello_size("X" + bytes.substr(1)));
}

TEST(Hello, a_mismatch_is_refused_with_both_values) {
  const Identity ours{"me", 77, 5};
  const std::uint64_t id = server_id("you");
  EXPECT_TRUE(check_hello({77, 5, id, "you@h:1"}, ours));
  const std::string cluster = check_hello({78, 5, id, "you@h:1"}, ours).error().message;
  EXPECT_NE(cluster.find("77"), std::string::npos);
  EXPECT_NE(cluster.find("78"), std::string::npos);
  const std::string epoch = check_hello({77, 6, id, "you@h:1"}, ours).error().message;
  EXPECT_NE(epoch.find("5"), std::string::npos);
  EXPECT_NE(epoch.find("6"), std::string::npos);
  EXPECT_FALSE(check_hello({77, 5, id + 1, "you@h:1"}, ours));
  EXPECT_FALSE(check_hello({77, 5, server_id("me"), "me@h:1"}, ours));
}

TEST(Address, splits_names_hosts_and_ports) {
  EXPECT_EQ(split_server_address("a@b@h:1").node_name, "a@b");
  EXPECT_EQ(split_server_address("a@b@h:1").host_port, "h:1");
  EXPECT_EQ(split_server_address("name").node_name, "name");
  EXPECT_EQ(find_host_port("h:6868")->port, "6868");
  EXPECT_EQ(find_host_port("[fe80::1]:1")->host, "fe80::1");
  for (const char* bad : {"", "h", ":1", "h:", "fe80::1:1", "h:x", "[]:1", "[::1:1", "h:123456"}) {
    EXPECT_FALSE(find_host_port(bad)) << bad;
  }
}

// What the other side of the connection sees within the deadline: true when it was closed.
bool is_closed_by_peer(const UniqueFd& fd) {
  pollfd waiting{fd.get(), POLLIN, 0};
  char byte = 0;
  return ::poll(&waiting, 1, 10 * 1000) == 1 && ::recv(fd.get(), &byte, 1, 0) <= 0;
}

TEST(Transport, closes_connections_of_other_clusters_epochs_and_protocols) {
  TemporaryDirectory directory;
  Acceptor acceptor;
  TestNode server(directory.path());
  server.options.cluster_id = 77;
  ASSERT_TRUE(server.open());
  acceptor.attach(server.node.get());
  const std::uint64_t id = server_id("you");
  for (const std::string& bytes :
       {encode_hello({78, 0, id, "you@127.0.0.1:1"}), encode_hello({77, 1, id, "you@127.0.0.1:1"}),
        std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nand more than the head of a hello")}) {
    const UniqueFd fd = acceptor.connect();
    ASSERT_TRUE(write_all(fd.get(), bytes, "socket"));
    EXPECT_TRUE(is_closed_by_peer(fd));
  }
  const UniqueFd silent = acceptor.connect();
  const UniqueFd slow = acceptor.connect();
  const std::string good = encode_hello({77, 0, id, "you@127.0.0.1:1"});
  ASSERT_TRUE(write_all(slow.get(), good.substr(0, 10), "socket"));
  ASSERT_TRUE(write_all(slow.get(), good.substr(10), "socket"));
  ASSERT_TRUE(server.propose("the node lives"));
  EXPECT_TRUE(is_closed_by_peer(silent)) << "5 s without a hello";
  acceptor.attach(nullptr);
  server.node->close();
  EXPECT_TRUE(is_closed_by_peer(slow)) << "it was taken, and ends with the node";
}

class ClusterTest : public ::testing::Test {
 protected:
  static constexpr std::size_t kServers = 3;

  ClusterTest() {
    std::vector<Server> servers;
    for (std::size_t i = 0; i < kServers; ++i) {
      acceptors_.push_back(std::make_unique<Acceptor>());
      const std::string name = "server" + std::to_string(i);
      servers.push_back({0, name, acceptors_[i]->address(), true});
      nodes_.push_back(std::make_unique<TestNode>(directory_.path() / name, name));
      nodes_[i]->options.address = acceptors_[i]->address();
      nodes_[i]->options.cluster_id = 77;
      nodes_[i]->options.bootstrap = false;
    }
    for (auto& node : nodes_) node->options.bootstrap_servers = servers;
  }
  ~ClusterTest() override {
    for (std::size_t i = 0; i < kServers; ++i) stop(i);
  }

  void start(std::size_t i) {
    auto opened = nodes_[i]->open();
    ASSERT_TRUE(opened) << opened.error().message;
    acceptors_[i]->attach(nodes_[i]->node.get());
  }
  void stop(std::size_t i) {
    acceptors_[i]->attach(nullptr);
    if (nodes_[i]->node) nodes_[i]->node->close();
    nodes_[i]->node.reset();
  }
  // The leader, once all that run agree on it; kServers when they do not in time.
  std::size_t wait_for_leader() {
    std::size_t leader = kServers;
    loop_.run_until([&] {
      leader = kServers;
      bool is_agreed = true;
      for (std::size_t i = 0; i < kServers; ++i) {
        if (nodes_[i]->node && nodes_[i]->is_leader()) leader = i;
      }
      for (std::size_t i = 0; i < kServers && leader < kServers; ++i) {
        if (!nodes_[i]->node) continue;
        is_agreed =
            is_agreed && nodes_[i]->node->status().leader_name == nodes_[leader]->options.node_name;
      }
      return leader < kServers && is_agreed;
    });
    return leader;
  }
  bool wait_for_values(std::size_t i, std::size_t count) {
    return nodes_[i]->loop.run_until([&] { return nodes_[i]->machine->values().size() == count; });
  }

  TemporaryDirectory directory_;
  TestLoop loop_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  std::vector<std::unique_ptr<TestNode>> nodes_;
};

TEST_F(ClusterTest, three_servers_replicate_and_survive_the_loss_of_their_leader) {
  for (std::size_t i = 0; i < kServers; ++i) start(i);
  const std::size_t first = wait_for_leader();
  ASSERT_LT(first, kServers);
  for (int i = 0; i < 50; ++i) {
    auto outcome = nodes_[first]->propose("a" + std::to_string(i));
    ASSERT_TRUE(outcome) << outcome.error().message;
  }
  for (std::size_t i = 0; i < kServers; ++i) {
    ASSERT_TRUE(wait_for_values(i, 50));
    EXPECT_EQ(nodes_[i]->machine->values(), nodes_[first]->machine->values());
    EXPECT_EQ(nodes_[i]->node->status().configuration.size(), kServers);
  }
  const std::size_t follower = (first + 1) % kServers;
  EXPECT_EQ(nodes_[follower]->propose("no").error().code, ErrorCode::Unavailable);

  stop(first);
  const std::size_t second = wait_for_leader();
  ASSERT_LT(second, kServers);
  ASSERT_NE(second, first);
  ASSERT_TRUE(nodes_[second]->propose("b"));
  start(first);
  ASSERT_TRUE(wait_for_values(first, 51));
  EXPECT_EQ(nodes_[first]->machine->values(), nodes_[second]->machine->values());
}

TEST_F(ClusterTest, a_leader_without_majority_does_not_know_the_outcome) {
  for (std::size_t i = 0; i < kServers; ++i) start(i);
  const std::size_t leader = wait_for_leader();
  ASSERT_LT(leader, kServers);
  ASSERT_TRUE(nodes_[leader]->propose("a"));
  for (std::size_t i = 0; i < kServers; ++i) {
    if (i != leader) stop(i);
  }
  auto outcome = nodes_[leader]->propose("b");
  ASSERT_FALSE(outcome);
  // Unavailable only if the leader noticed its loneliness before the proposal came.
  EXPECT_EQ(outcome.error().code, ErrorCode::OutcomeUnknown) << outcome.error().message;
}

}  // namespace
}  // namespace dkron::raft
