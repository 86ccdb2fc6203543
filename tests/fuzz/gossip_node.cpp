// A node of gossip in a small cluster, fed with packets, messages of Serf and streams of anybody
// while time goes on. It must survive, and keep to itself: its own name is never another's.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "base/log.h"
#include "gossip/test_cluster.h"

using namespace dkron;
using namespace dkron::gossip;

namespace {

void feed_stream(TestNode& node, std::string_view bytes) {
  StreamReader reader(node.framing(), StreamRole::Dialler);
  const auto message = reader.feed(bytes);
  if (message && *message) node.on_stream(**message);
}

// A kind, a length of two bytes and as many bytes: one input after the other.
void feed(TestCluster& cluster, std::string_view input) {
  TestNode& node = cluster["a"];
  constexpr std::size_t kHeaderBytes = 3;
  constexpr std::size_t kMaxBytes = 60'000;  // As much as fits into a packet.
  while (input.size() >= kHeaderBytes) {
    const auto kind = static_cast<unsigned char>(input[0]);
    const std::size_t size = static_cast<unsigned char>(input[1]) * std::size_t{256} +
                             static_cast<unsigned char>(input[2]);
    const std::string_view bytes = input.substr(kHeaderBytes, std::min(size, kMaxBytes));
    input.remove_prefix(kHeaderBytes + bytes.size());
    switch (kind % 4) {
      case 0: cluster.network().inject(node.endpoint(), std::string(bytes)); break;
      case 1:
        cluster.network().inject(node.endpoint(), test_user_packet(std::string(bytes)));
        break;
      case 2: feed_stream(node, bytes); break;
      default: cluster.run(milliseconds(static_cast<int>(size % 4096)));
    }
  }
  cluster.run(seconds(5));
  DK_ASSERT(node->local().name == "a");
  DK_ASSERT(node->local().endpoint == node.endpoint());
  DK_ASSERT(node->members().size() <= MemberTable::kMaxMembers);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  log::set_level(log::Level::Fatal);
  TestCluster cluster(1);
  cluster.form({"a", "b"});
  feed(cluster, {reinterpret_cast<const char*>(data), size});
  return 0;
}
