// The only place that includes libraft, for the .cpp files of this folder.
//
// raft.h has no extern "C", and its ABI checks define structs inside sizeof, which is not C++:
// while it is read, sizeof is a macro that satisfies those checks (libraft_test.cpp compares the
// true sizes with those that a C compiler sees). Functions and structs share names, so we always
// write `struct raft_apply`.
#pragma once

#include <stdbool.h>  // These first, so that only raft.h sees the macro below.
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <uv.h>

extern "C" {
#ifdef __clang__
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wkeyword-macro"
#endif
#pragma push_macro("sizeof")
#define sizeof(...) 1
#include <raft.h>
#pragma pop_macro("sizeof")
#ifdef __clang__
#pragma clang diagnostic pop
#endif
#include <raft/uv.h>
}

// 0.15 can lose committed entries, 0.22.0 frees received entries twice.
static_assert(RAFT_VERSION_NUMBER >= 2201, "libraft >= 0.22.1 is needed");
