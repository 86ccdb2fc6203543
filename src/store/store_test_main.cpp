#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "store/keys.h"
#include "store/store.h"
#include "store/test_support.h"

extern char** environ;

namespace dkron::store::testing_support {
namespace {

constexpr const char* kChildArgument = "--writing-child";
constexpr int kDeadlineMs = 60'000;

}  // namespace

int run_writing_child(const char* directory) {
  auto opened = Store::open(Path(directory) / "store");
  if (!opened) return 1;
  Store& store = **opened;
  const auto before = store.reader().get(keys::kApplied);
  std::uint64_t index = before && *before ? keys::read_u64(**before) : 0;
  while (true) {
    ++index;
    std::string applied;
    keys::append_u64(&applied, index);
    store.batch().put(keys::executions_of(index), std::to_string(index));
    store.batch().put(keys::executions_of(index) + "more", std::string(200, 'x'));
    store.batch().put(keys::kApplied, applied);
    if (!store.commit()) return 2;
    if (index % 1'000 == 0 && !store.flush()) return 3;
    if (!write_all(STDOUT_FILENO, ".", "stdout")) return 4;
  }
}

void kill_while_writing(const Path& directory, int commits) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  UniqueFd read_end(ends[0]), write_end(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDOUT_FILENO);
  std::string program = "/proc/self/exe", argument = kChildArgument, path = directory.string();
  char* arguments[] = {program.data(), argument.data(), path.data(), nullptr};
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, program.c_str(), &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  ASSERT_EQ(error, 0);
  write_end.reset();

  long seen = 0;
  bool is_late = false;
  while (seen < commits && !is_late) {
    pollfd item{read_end.get(), POLLIN, 0};
    is_late = ::poll(&item, 1, kDeadlineMs) != 1;
    char buffer[4096];
    const auto n = is_late ? 0 : ::read(read_end.get(), buffer, sizeof buffer);
    if (n <= 0) break;
    seen += n;
  }
  ::kill(pid, SIGKILL);
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_FALSE(is_late);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the child ended by itself with " << WEXITSTATUS(status);
  EXPECT_GE(seen, commits);
}

}  // namespace dkron::store::testing_support

int main(int argc, char** argv) {
  using namespace dkron::store::testing_support;
  if (argc == 3 && std::strcmp(argv[1], kChildArgument) == 0) return run_writing_child(argv[2]);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
