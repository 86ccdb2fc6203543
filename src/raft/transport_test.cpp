// Hellos, and the connections that a node refuses.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include "raft/address.h"
#include "raft/hello.h"
#include "raft/test_cluster.h"

namespace dkron::raft {
namespace {

using testing::Acceptor;
using testing::TemporaryDirectory;
using testing::TestNode;

TEST(Hello, comes_back_as_it_was) {
  const Hello hello{1, 2, server_id("a"), "a@[::1]:6868", {}};
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

  const std::string snapshot = encode_hello({1, 2, server_id("a"), "a@[::1]:6868", 0x1234567890});
  EXPECT_EQ(*hello_size(snapshot), bytes.size() + 8);
  EXPECT_EQ(decode_hello(snapshot)->sender_address, "a@[::1]:6868");
  EXPECT_EQ(decode_hello(snapshot)->manifest_id, 0x1234567890u);
  EXPECT_FALSE(decode_hello(bytes)->manifest_id);
}

TEST(Hello, an_answer_is_a_zero_or_a_text_with_its_length) {
  EXPECT_EQ(encode_answer({}), std::string(1, '\0'));
  EXPECT_EQ(encode_answer(fail(ErrorCode::Conflict, "no")), "\2no");
  EXPECT_EQ(encode_answer(fail(ErrorCode::Conflict, std::string(1000, 'x'))).size(), 256u);
}

TEST(Hello, a_mismatch_is_refused_with_both_values) {
  const Identity ours{"me", 77, 5};
  const std::uint64_t id = server_id("you");
  EXPECT_TRUE(check_hello({77, 5, id, "you@h:1", {}}, ours));
  const std::string cluster = check_hello({78, 5, id, "you@h:1", {}}, ours).error().message;
  EXPECT_NE(cluster.find("77"), std::string::npos);
  EXPECT_NE(cluster.find("78"), std::string::npos);
  const std::string epoch = check_hello({77, 6, id, "you@h:1", {}}, ours).error().message;
  EXPECT_NE(epoch.find("5"), std::string::npos);
  EXPECT_NE(epoch.find("6"), std::string::npos);
  EXPECT_FALSE(check_hello({77, 5, id + 1, "you@h:1", {}}, ours));
  EXPECT_FALSE(check_hello({77, 5, server_id("me"), "me@h:1", {}}, ours));
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

// What the node sends until it closes the connection; nullopt: it did not close it in time.
std::optional<std::string> read_to_end(const UniqueFd& fd) {
  std::string text;
  for (;;) {
    pollfd waiting{fd.get(), POLLIN, 0};
    if (::poll(&waiting, 1, 10 * 1000) != 1) return std::nullopt;
    char bytes[256];
    const ssize_t n = ::recv(fd.get(), bytes, sizeof bytes, 0);
    if (n <= 0) return text;
    text.append(bytes, static_cast<std::size_t>(n));
  }
}

TEST(Transport, tells_other_clusters_and_epochs_why_it_refuses_them) {
  TemporaryDirectory directory;
  Acceptor acceptor;
  TestNode server(directory.path());
  server.options.cluster_id = 77;
  ASSERT_TRUE(server.open());
  acceptor.attach(server.node.get());
  const std::uint64_t id = server_id("you");
  const auto answer_to = [&](const std::string& bytes) {
    const UniqueFd fd = acceptor.connect();
    if (!write_all(fd.get(), bytes, "socket")) return std::optional<std::string>();
    return read_to_end(fd);
  };
  const auto cluster = answer_to(encode_hello({78, 0, id, "you@127.0.0.1:1", {}}));
  ASSERT_TRUE(cluster);
  EXPECT_NE(cluster->find("belongs to cluster 77, the sender to cluster 78"), std::string::npos);
  EXPECT_EQ(static_cast<unsigned char>((*cluster)[0]), cluster->size() - 1);
  const auto epoch = answer_to(encode_hello({77, 1, id, "you@127.0.0.1:1", {}}));
  ASSERT_TRUE(epoch);
  EXPECT_NE(epoch->find("recovery epoch 0, the sender in 1"), std::string::npos);
  EXPECT_EQ(answer_to("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nand more than the head of a hello"), "");
  const auto snapshot = answer_to(encode_hello({77, 0, id, "you@127.0.0.1:1", 4711}));
  ASSERT_TRUE(snapshot);
  EXPECT_NE(snapshot->find("4711"), std::string::npos) << *snapshot;
}

TEST(Transport, a_hello_may_come_in_parts_but_not_late) {
  TemporaryDirectory directory;
  Acceptor acceptor;
  TestNode server(directory.path());
  server.options.cluster_id = 77;
  ASSERT_TRUE(server.open());
  acceptor.attach(server.node.get());
  const UniqueFd silent = acceptor.connect();
  const UniqueFd slow = acceptor.connect();
  const std::string good = encode_hello({77, 0, server_id("you"), "you@127.0.0.1:1", {}});
  ASSERT_TRUE(write_all(slow.get(), good.substr(0, 10), "socket"));
  ASSERT_TRUE(write_all(slow.get(), good.substr(10), "socket"));
  ASSERT_TRUE(server.propose("the node lives"));
  EXPECT_EQ(read_to_end(silent), "") << "5 s without a hello";
  acceptor.attach(nullptr);
  server.node->close();
  EXPECT_EQ(read_to_end(slow), std::string(1, '\0')) << "it was taken, and ends with the node";
}

}  // namespace
}  // namespace dkron::raft
