#include "process/launch.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>

#include "base/assert.h"
#include "base/log.h"

namespace dkron::process {
namespace {

// Go's words for an errno: those of the C library in lower case.
std::string go_error_text(int errno_value) {
  const char* description = ::strerrordesc_np(errno_value);
  std::string text = description == nullptr ? "errno " + std::to_string(errno_value) : description;
  const bool is_word = text.size() > 1 && text[1] >= 'a' && text[1] <= 'z';
  if (is_word && text[0] >= 'A' && text[0] <= 'Z') text[0] = static_cast<char>(text[0] - 'A' + 'a');
  return text;
}

tl::unexpected<Error> fork_exec_error(const std::string& path, int errno_value) {
  return fail(ErrorCode::Io, "fork/exec " + path + ": " + go_error_text(errno_value));
}

bool has_nul(const std::vector<std::string>& texts) {
  for (const std::string& text : texts) {
    if (text.find('\0') != std::string::npos) return true;
  }
  return false;
}

std::vector<char*> to_c_array(const std::vector<std::string>& texts) {
  std::vector<char*> array;
  array.reserve(texts.size() + 1);
  // posix_spawn's signature lacks the const that it keeps.
  for (const std::string& text : texts) array.push_back(const_cast<char*>(text.c_str()));
  array.push_back(nullptr);
  return array;
}

// Descriptors 0 to 2 are the targets of the child's dup2; a source among them would be overwritten.
Result<UniqueFd> above_standard(UniqueFd fd) {
  if (fd.get() > STDERR_FILENO) return fd;
  UniqueFd moved(::fcntl(fd.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  if (!moved.is_open()) return fail_errno("dup", errno);
  return moved;
}

// The input as a file in memory: unlike a pipe it takes any length at once.
Result<UniqueFd> make_input(const std::string& input) {
  UniqueFd memory(::memfd_create("stdin", MFD_CLOEXEC));
  if (!memory.is_open()) return fail_errno("memfd_create", errno);
  if (auto written = write_all(memory.get(), input, "stdin"); !written)
    return fail(written.error());
  if (::lseek(memory.get(), 0, SEEK_SET) != 0) return fail_errno("lseek", errno);
  return above_standard(std::move(memory));
}

class FileActions {
 public:
  FileActions() { failed_ = ::posix_spawn_file_actions_init(&actions_) != 0; }
  ~FileActions() { ::posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  void dup2(int from, int to) {
    failed_ |= ::posix_spawn_file_actions_adddup2(&actions_, from, to) != 0;
  }
  void chdir(const std::string& directory) {
    failed_ |= ::posix_spawn_file_actions_addchdir_np(&actions_, directory.c_str()) != 0;
  }
  // Ours are close-on-exec; libraries may hold some that are not.
  void close_from(int fd) {
    failed_ |= ::posix_spawn_file_actions_addclosefrom_np(&actions_, fd) != 0;
  }
  bool failed() const { return failed_; }
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
  bool failed_ = false;
};

}  // namespace

struct Launcher::Attributes {
  posix_spawnattr_t value;
  Attributes() {
    sigset_t none;
    sigset_t all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    bool ok = ::posix_spawnattr_init(&value) == 0;
    ok = ok && ::posix_spawnattr_setsigmask(&value, &none) == 0;
    ok = ok && ::posix_spawnattr_setsigdefault(&value, &all) == 0;
    const auto flags =
        static_cast<short>(POSIX_SPAWN_SETSID) | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    ok = ok && ::posix_spawnattr_setflags(&value, static_cast<short>(flags)) == 0;
    DK_ASSERT(ok);
  }
  ~Attributes() { ::posix_spawnattr_destroy(&value); }
};

Started::~Started() {
  if (!pidfd_.is_open()) return;
  ::kill(-id_.pid, SIGKILL);
  siginfo_t ignored;
  while (::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &ignored, WEXITED) != 0 &&
         errno == EINTR) {
  }
}

Launcher::Launcher() : attributes_(std::make_unique<Attributes>()) {
  auto opened = open_file("/dev/null", O_RDWR);
  if (opened) opened = above_standard(std::move(*opened));
  if (opened) {
    null_ = std::move(*opened);
  } else {
    log::error("process: cannot open /dev/null", {{"error", opened.error()}});
  }
}
Launcher::~Launcher() = default;

Result<Started> Launcher::launch(const Command& command) {
  DK_ASSERT(!command.argv.empty());
  auto path = find_program(command.argv.front());
  if (!path) return fail(path.error());
  if (has_nul(command.argv) || command.working_directory.find('\0') != std::string::npos) {
    return fork_exec_error(*path, EINVAL);
  }
  if (has_nul(command.environment)) {
    return fail(ErrorCode::InvalidArgument, "exec: environment variable contains NUL");
  }
  UniqueFd input;
  if (!command.input.empty()) {
    auto made = make_input(command.input);
    if (!made) return fail(made.error());
    input = std::move(*made);
  }
  auto output = open_file(command.output_path, O_WRONLY | O_APPEND | O_CREAT);
  if (output) output = above_standard(std::move(*output));
  if (!output)
    return fail(output.error().code, "cannot open the output file: " + output.error().message);

  Result<UniqueFd> errors = UniqueFd();
  if (!command.error_path.empty()) {
    errors = open_file(command.error_path, O_WRONLY | O_APPEND | O_CREAT);
    if (errors) errors = above_standard(std::move(*errors));
    if (!errors)
      return fail(errors.error().code, "cannot open the error file: " + errors.error().message);
  }
  const int error_fd = errors->is_open() ? errors->get() : output->get();

  FileActions actions;
  actions.dup2(input.is_open() ? input.get() : null_.get(), STDIN_FILENO);
  actions.dup2(output->get(), STDOUT_FILENO);
  actions.dup2(command.discard_stderr ? null_.get() : error_fd, STDERR_FILENO);
  actions.close_from(STDERR_FILENO + 1);
  if (!command.working_directory.empty()) actions.chdir(command.working_directory);
  if (actions.failed()) return fork_exec_error(*path, ENOMEM);

  const std::vector<char*> argv = to_c_array(command.argv);
  const std::vector<char*> environment = to_c_array(command.environment);
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, path->c_str(), actions.get(), &attributes_->value,
                                  argv.data(), environment.data());
  if (error != 0) return fork_exec_error(*path, error);
  // The child is not collected yet, so its number is still its own.
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd.is_open()) {
    const int reason = errno;
    ::kill(-pid, SIGKILL);
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    return fork_exec_error(*path, reason);
  }
  return Started({pid, read_start_time_ticks(pid)}, std::move(pidfd));
}

ExitStatus to_exit_status(const siginfo_t& info) {
  ExitStatus status;
  if (info.si_code == CLD_EXITED) {
    status.code = info.si_status;
  } else {
    status.signal = info.si_status;
    status.core_dumped = info.si_code == CLD_DUMPED;
  }
  return status;
}

std::uint64_t read_start_time_ticks(pid_t pid) {
  char name[32];
  std::snprintf(name, sizeof name, "/proc/%d/stat", static_cast<int>(pid));
  const UniqueFd fd(::open(name, O_RDONLY | O_CLOEXEC));
  if (!fd.is_open()) return 0;
  char buffer[1024];
  const ssize_t size = ::read(fd.get(), buffer, sizeof buffer);
  if (size <= 0) return 0;
  std::string_view text(buffer, static_cast<std::size_t>(size));
  // Field 2 is the program's name in parentheses, which may itself hold blanks and parentheses.
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string_view::npos) return 0;
  text.remove_prefix(name_end + 1);
  for (int field = 3; field <= 22; ++field) {
    const std::size_t blank = text.find(' ');
    if (blank == std::string_view::npos) return 0;
    text.remove_prefix(blank + 1);
  }
  std::uint64_t ticks = 0;
  std::from_chars(text.data(), text.data() + text.size(), ticks);
  return ticks;
}

}  // namespace dkron::process
