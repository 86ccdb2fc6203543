#include "process/capture.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <optional>

#include "base/clock.h"
#include "process/launch.h"

namespace dkron::process {
namespace {

// The reading end of a pipe, and what came out of it.
class Stream {
 public:
  static Result<Stream> open() {
    std::array<int, 2> fds{};
    if (::pipe2(fds.data(), O_CLOEXEC | O_NONBLOCK) != 0) return fail_errno("pipe", errno);
    Stream stream;
    stream.read_end_ = UniqueFd(fds[0]);
    stream.write_end_ = UniqueFd(fds[1]);
    return stream;
  }
  // Opening this path gives the child a blocking end of its own.
  Path path() const { return "/proc/self/fd/" + std::to_string(write_end_.get()); }
  void close_write_end() { write_end_.reset(); }
  int fd() const { return read_end_.get(); }  // -1 after its end: poll() passes over it.

  // Takes what is there, keeping the first `limit` bytes.
  void drain(std::size_t limit) {
    std::array<char, 16 * 1024> chunk;
    while (read_end_.is_open() && !overflowed_) {
      const ssize_t size = ::read(read_end_.get(), chunk.data(), chunk.size());
      if (size < 0 && errno == EINTR) continue;
      if (size < 0 && errno == EAGAIN) return;
      if (size <= 0) {
        read_end_.reset();
        return;
      }
      const std::size_t room = limit - content_.size();
      overflowed_ = static_cast<std::size_t>(size) > room;
      content_.append(chunk.data(), std::min(room, static_cast<std::size_t>(size)));
    }
  }
  // What overflows is read on and dropped, so that the writer goes on.
  void drop_overflow() { overflowed_ = false; }
  bool overflowed() const { return overflowed_; }
  std::string take() { return std::move(content_); }

 private:
  UniqueFd read_end_;
  UniqueFd write_end_;
  std::string content_;
  bool overflowed_ = false;
};

std::vector<std::string> own_environment() {
  std::vector<std::string> variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    variables.emplace_back(*entry);
  }
  return variables;
}

// Looks only: the zombie keeps its number, by which the group is still to be killed.
ExitStatus exit_status_of(int pidfd) {
  siginfo_t info{};
  int result = 0;
  do {
    result = ::waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED | WNOWAIT | WNOHANG);
  } while (result != 0 && errno == EINTR);
  if (result != 0 || info.si_pid == 0) return {-1, 0, false};  // Must not look like success.
  return to_exit_status(info);
}

int poll_timeout_ms(Duration left) {
  const auto left_ms = std::chrono::duration_cast<milliseconds>(left).count() + 1;
  return static_cast<int>(std::clamp<std::int64_t>(left_ms, 1, INT_MAX));
}

// Until the command itself is over; what it left behind does not count.
Result<void> wait_for_end(const Started& child, const CaptureLimits& limits, Stream* output,
                          Stream* errors) {
  const Duration deadline = system_clock().steady() + std::min<Duration>(limits.timeout, hours(1));
  for (;;) {
    const Duration left = deadline - system_clock().steady();
    if (left <= Duration(0)) {
      return fail(ErrorCode::Timeout, "no end within " + format_duration(limits.timeout));
    }
    std::array<pollfd, 3> entries = {pollfd{child.pidfd(), POLLIN, 0},
                                     pollfd{output->fd(), POLLIN, 0},
                                     pollfd{errors->fd(), POLLIN, 0}};
    if (::poll(entries.data(), entries.size(), poll_timeout_ms(left)) < 0 && errno != EINTR) {
      return fail_errno("poll", errno);
    }
    const bool is_over = (entries[0].revents & POLLIN) != 0;  // Seen before the last look.
    output->drain(limits.output_bytes);
    errors->drain(limits.error_bytes);
    errors->drop_overflow();
    if (output->overflowed()) {
      return fail(ErrorCode::TooLarge,
                  "more than " + std::to_string(limits.output_bytes) + " bytes of output");
    }
    if (is_over) return {};
  }
}

}  // namespace

Result<Captured> run_captured(const std::vector<std::string>& argv, const CaptureLimits& limits) {
  auto output = Stream::open();
  if (!output) return fail(std::move(output.error()));
  auto errors = Stream::open();
  if (!errors) return fail(std::move(errors.error()));
  Command command;
  command.argv = argv;
  command.environment = own_environment();
  command.output_path = output->path();
  command.error_path = errors->path();
  Launcher launcher;
  auto child = launcher.launch(command);  // Its destructor kills the group and collects it.
  if (!child) return fail(std::move(child.error()));
  output->close_write_end();
  errors->close_write_end();
  if (auto ended = wait_for_end(*child, limits, &*output, &*errors); !ended) {
    return fail(std::move(ended.error()));
  }
  return Captured{exit_status_of(child->pidfd()), output->take(), errors->take()};
}

}  // namespace dkron::process
