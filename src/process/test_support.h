// What the tests of process/, executor/ and node/ share: a directory of their own, and a loop that
// is run until something has happened.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "base/file.h"
#include "base/test_directory.h"
#include "net/loop.h"

namespace dkron::testing_support {

// Runs `loop` until `done` holds, which is looked at whenever somebody stops the loop.
inline void run_until(net::Loop& loop, const std::function<bool()>& done) {
  bool is_late = false;
  auto deadline = loop.make_timer();
  deadline->start(seconds(30), [&] {
    is_late = true;
    loop.stop();
  });
  while (!is_late && !done()) loop.run();
  ASSERT_FALSE(is_late) << "nothing happened within the deadline";
}

inline std::string content_of(const Path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Waits for the end of a process that nobody watches; false when it does not end in time.
inline bool wait_for_end(pid_t pid) {
  const UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!fd.is_open()) return true;
  pollfd item{fd.get(), POLLIN, 0};
  return ::poll(&item, 1, 20'000) == 1;
}

}  // namespace dkron::testing_support
