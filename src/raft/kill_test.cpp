// A process that proposes is killed with SIGKILL, again and again; what it had seen acknowledged
// must be there when it starts again.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>

#include "base/random.h"
#include "raft/test_support.h"

extern char** environ;

namespace dkron::raft::testing {

// Checks the values of <directory>/acknowledged-values, says "ok", then proposes and prints each
// value that is acknowledged, until it is killed.
int run_kill_child(const char* directory) {
  const Path path(directory);
  TestNode server(path / "data");
  server.options.snapshot_threshold_entries = 40;
  auto opened = server.open();
  if (!opened) {
    std::printf("open failed: %s\n", opened.error().message.c_str());
    return 1;
  }
  std::map<std::string, int> have;
  for (const std::string& value : server.machine->values()) ++have[value];
  for (const auto& [value, count] : have) {
    if (count != 1) std::printf("applied twice: %s\n", value.c_str());
  }
  const auto expected = read_file(path / "acknowledged-values", std::size_t{1} << 30);
  std::string_view rest = expected ? std::string_view(*expected) : std::string_view();
  while (!rest.empty()) {
    const auto end = rest.find('\n');
    if (!have.contains(std::string(rest.substr(0, end)))) {
      std::printf("lost: %.*s\n", static_cast<int>(end), rest.data());
    }
    rest.remove_prefix(end + 1);
  }
  std::printf("ok\n");
  std::fflush(stdout);

  const std::string prefix = std::to_string(::getpid()) + "-";
  std::size_t proposed = 0;
  std::size_t answered = 0;
  const auto fill = [&] {
    for (; proposed < answered + 8; ++proposed) {
      const std::string value = prefix + std::to_string(proposed);
      std::vector<Command> commands(1);
      commands[0].payload = value;
      server.node->propose(std::move(commands), [&, value](Result<std::vector<Outcome>> result) {
        ++answered;
        const std::string line = result ? value + "\n" : "error: " + result.error().message + "\n";
        if (!write_all(STDOUT_FILENO, line, "stdout")) std::_Exit(2);
      });
    }
    return false;
  };
  server.loop.run_until(fill, kDeadline);
  return 3;
}

namespace {

class Victim {
 public:
  explicit Victim(const Path& directory) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
    out_ = UniqueFd(ends[0]);
    const UniqueFd write_end(ends[1]);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDOUT_FILENO);
    std::string program = "/proc/self/exe";
    std::string mode = "--kill-child";
    std::string argument = directory.string();
    char* arguments[] = {program.data(), mode.data(), argument.data(), nullptr};
    if (::posix_spawn(&pid_, program.c_str(), &actions, nullptr, arguments, environ) != 0) {
      std::abort();
    }
    posix_spawn_file_actions_destroy(&actions);
  }
  ~Victim() { kill(); }
  Victim(const Victim&) = delete;
  Victim& operator=(const Victim&) = delete;

  // The next line, without its end; nothing at the end of the output, or after the deadline.
  std::optional<std::string> read_line() {
    for (;;) {
      if (const auto end = buffer_.find('\n'); end != std::string::npos) {
        std::string line = buffer_.substr(0, end);
        buffer_.erase(0, end + 1);
        return line;
      }
      pollfd waiting{out_.get(), POLLIN, 0};
      if (::poll(&waiting, 1, 30 * 1000) <= 0) return std::nullopt;
      char chunk[4096];
      const ssize_t n = ::read(out_.get(), chunk, sizeof chunk);
      if (n <= 0) return std::nullopt;
      buffer_.append(chunk, static_cast<std::size_t>(n));
    }
  }

  void kill() {
    if (pid_ < 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_ = -1;
  UniqueFd out_;
  std::string buffer_;
};

TEST(Kill, no_acknowledged_value_is_lost_in_20_rounds) {
  TemporaryDirectory directory;
  SeededRandom random(test_seed());
  std::string acknowledged;
  for (int round = 0; round < 20; ++round) {
    ASSERT_TRUE(write_file_durably(directory.path() / "acknowledged-values", acknowledged));
    Victim victim(directory.path());
    ASSERT_EQ(victim.read_line(), "ok") << "round " << round;
    for (std::uint64_t left = 1 + random.below(150); left > 0; --left) {
      const auto value = victim.read_line();
      ASSERT_TRUE(value);
      ASSERT_FALSE(value->starts_with("error")) << *value;
      acknowledged += *value + "\n";
    }
    victim.kill();
    while (const auto value = victim.read_line()) acknowledged += *value + "\n";
  }
}

}  // namespace
}  // namespace dkron::raft::testing
