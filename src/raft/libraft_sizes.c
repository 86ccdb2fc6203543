/* The sizes of libraft's structs as a C compiler sees them, for libraft_test.cpp. */
#include <raft.h>
#include <raft/uv.h>

void dkron_libraft_sizes(size_t sizes[6]);

void dkron_libraft_sizes(size_t sizes[6]) {
  sizes[0] = sizeof(struct raft);
  sizes[1] = sizeof(struct raft_apply);
  sizes[2] = sizeof(struct raft_change);
  sizes[3] = sizeof(struct raft_io);
  sizes[4] = sizeof(struct raft_fsm);
  sizes[5] = sizeof(struct raft_uv_transport);
}
