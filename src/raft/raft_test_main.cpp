// The main function of raft_test: with "--kill-child" the program is the victim of kill_test.cpp.
#include <gtest/gtest.h>

#include <string_view>

namespace dkron::raft::testing {
int run_kill_child(const char* directory);
}

// libraft writes its diagnostics to a static buffer, which the several nodes of these tests share.
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() {
  return "race:libraft.so\n";
}

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "--kill-child") {
    return dkron::raft::testing::run_kill_child(argv[2]);
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
