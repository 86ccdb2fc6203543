#include "server_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <thread>

extern char** environ;

namespace dkron::bench {
namespace {

constexpr int kStartLimitMs = 120'000;

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "bench: %s\n", what.c_str());
  std::exit(1);
}

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

pid_t spawn(const std::vector<std::string>& command, int output_fd, bool is_stderr) {
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, output_fd, is_stderr ? STDERR_FILENO : STDOUT_FILENO);
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) die("cannot start " + command[0]);
  return pid;
}

}  // namespace

ServerProcess::ServerProcess(std::string binary, std::vector<std::string> arguments)
    : binary_(std::move(binary)), up_mark_("cluster leadership acquired") {
  arguments_ = {"--server",
                "--bootstrap-expect=1",
                "--node-name=bench",
                "--bind-addr=127.0.0.1:0",
                "--advertise-addr=127.0.0.1:0",
                "--rpc-port=0"};
  arguments_.insert(arguments_.end(), arguments.begin(), arguments.end());
  make_directory();
  start();
}

ServerProcess::ServerProcess(std::string binary, const Place& place,
                             std::vector<std::string> arguments)
    : binary_(std::move(binary)),
      up_mark_(place.is_server ? "Running HTTP server" : "Running the agent's RPC") {
  arguments_ = {"--node-name=" + place.name, "--bind-addr=" + place.ip + ":8946",
                "--advertise-addr=" + place.ip + ":8946", "--profile=local",
                "--retry-interval=200ms"};
  if (place.is_server) arguments_.push_back("--server");
  if (place.expect > 0) arguments_.push_back("--bootstrap-expect=" + std::to_string(place.expect));
  for (const std::string& ip : place.joins) arguments_.push_back("--retry-join=" + ip + ":8946");
  arguments_.insert(arguments_.end(), arguments.begin(), arguments.end());
  make_directory();
  start();
}

void ServerProcess::make_directory() {
  std::string pattern = (std::filesystem::temp_directory_path() / "dkron-bench-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) die("mkdtemp failed");
  directory_ = pattern;
}

ServerProcess::~ServerProcess() {
  stop();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

void ServerProcess::start() {
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) die("pipe failed");
  std::vector<std::string> command = {binary_, "agent",
                                      "--data-dir=" + (directory_ / "data").string(),
                                      "--http-addr=127.0.0.1:0", "--drain-timeout=5s"};
  command.insert(command.end(), arguments_.begin(), arguments_.end());
  pid_ = spawn(command, pipe[1], true);
  ::close(pipe[1]);
  log_fd_ = pipe[0];
  std::string log;
  while (log.find(up_mark_) == std::string::npos) {
    pollfd poll{log_fd_, POLLIN, 0};
    char buffer[4096];
    if (::poll(&poll, 1, kStartLimitMs) <= 0) die("the node does not come up:\n" + log);
    const ssize_t n = ::read(log_fd_, buffer, sizeof buffer);
    if (n <= 0) die("the server ended:\n" + log);
    log.append(buffer, static_cast<std::size_t>(n));
  }
  const std::string mark = "address=\"127.0.0.1:";
  const auto at = log.find(mark);
  if (at != std::string::npos) {  // Agents have none.
    port_ = static_cast<std::uint16_t>(std::atoi(log.c_str() + at + mark.size()));
  }
  // The log is read on, so that the server never waits for it.
  std::thread([fd = log_fd_] {
    char buffer[4096];
    while (::read(fd, buffer, sizeof buffer) > 0) {
    }
    ::close(fd);
  }).detach();
}

void ServerProcess::stop() {
  if (pid_ == 0) return;
  ::kill(pid_, SIGTERM);
  ::waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

void ServerProcess::kill() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

void ServerProcess::revive() {
  start();
}

double ServerProcess::restart() {
  stop();
  const double before = now_seconds();
  start();
  return now_seconds() - before;
}

double ServerProcess::resident_mb() const {
  std::ifstream file("/proc/" + std::to_string(pid_) + "/statm");
  double total = 0, resident = 0;
  file >> total >> resident;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE)) / 1e6;
}

double ServerProcess::cpu_seconds() const {
  std::ifstream file("/proc/" + std::to_string(pid_) + "/stat");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  unsigned long user = 0, system = 0;
  // Fields 14 and 15; the name in field 2 is in parentheses.
  std::sscanf(text.c_str() + text.rfind(')') + 2,
              "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
  return static_cast<double>(user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

void wait_seconds(double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

double raw_sync_rate(double seconds) {
  std::string path = (std::filesystem::temp_directory_path() / "dkron-bench-sync-XXXXXX").string();
  const int fd = ::mkstemp(path.data());
  if (fd < 0) die("mkstemp failed");
  ::unlink(path.c_str());
  const std::vector<char> segment(8 * 1024 * 1024, 'x');
  if (::pwrite(fd, segment.data(), segment.size(), 0) < 0 || ::fsync(fd) != 0) die("cannot write");
  const double before = now_seconds();
  int writes = 0;
  while (now_seconds() - before < seconds) {
    if (::pwrite(fd, segment.data(), 4096, (writes % 2000) * 4096L) < 0 || ::fdatasync(fd) != 0)
      die("cannot write");
    ++writes;
  }
  const double rate = writes / (now_seconds() - before);
  ::close(fd);
  return rate;
}

double raw_spawn_rate(int count, int at_once) {
  struct Child {
    int pidfd;
    int output;
    pid_t pid;
  };
  std::vector<Child> children;
  int started = 0;
  const double before = now_seconds();
  while (started < count || !children.empty()) {
    while (started < count && static_cast<int>(children.size()) < at_once) {
      int pipe[2];
      if (::pipe2(pipe, O_CLOEXEC) != 0) die("pipe failed");
      const pid_t pid = spawn({"/bin/true"}, pipe[1], false);
      ::close(pipe[1]);
      children.push_back({static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)), pipe[0], pid});
      ++started;
    }
    std::vector<pollfd> polls;
    for (const Child& child : children) polls.push_back({child.pidfd, POLLIN, 0});
    ::poll(polls.data(), polls.size(), 1000);
    for (std::size_t i = children.size(); i-- > 0;) {
      if (polls[i].revents == 0) continue;
      ::waitpid(children[i].pid, nullptr, 0);
      ::close(children[i].pidfd);
      ::close(children[i].output);
      children.erase(children.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
  return count / (now_seconds() - before);
}

}  // namespace dkron::bench
