#include "raft/libraft.h"

#include <gtest/gtest.h>

#include <vector>

#include "raft/node.h"

extern "C" void dkron_libraft_sizes(std::size_t sizes[6]);

namespace dkron::raft {
namespace {

TEST(Libraft, structs_have_the_same_size_in_c_and_in_cpp) {
  std::vector<std::size_t> in_c(6);
  dkron_libraft_sizes(in_c.data());
  const std::vector<std::size_t> in_cpp = {
      sizeof(struct raft),    sizeof(struct raft_apply), sizeof(struct raft_change),
      sizeof(struct raft_io), sizeof(struct raft_fsm),   sizeof(struct raft_uv_transport)};
  EXPECT_EQ(in_c, in_cpp);
}

TEST(Libraft, ids_are_the_digests_of_the_names) {
  EXPECT_EQ(server_id("dkron-server01"), 2492572253560289780u);
  EXPECT_EQ(server_id("dkron-server02"), 13294855906922223222u);
}

}  // namespace
}  // namespace dkron::raft
