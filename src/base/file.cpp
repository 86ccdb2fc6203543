#include "base/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace dkron {

void UniqueFd::reset() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Result<UniqueFd> open_file(const Path& path, int flags, unsigned mode) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, static_cast<mode_t>(mode));
  if (fd < 0) {
    const int error = errno;
    if (error == ENOENT)
      return fail(ErrorCode::NotFound, path.string() + ": no such file or directory");
    return fail_errno(path.string(), error);
  }
  return UniqueFd(fd);
}

Result<std::string> read_file(const Path& path, std::size_t limit_bytes) {
  auto fd = open_file(path, O_RDONLY);
  if (!fd) return fail(fd.error());
  std::string content;
  char buffer[64 * 1024];
  for (;;) {
    const ssize_t n = ::read(fd->get(), buffer, sizeof buffer);
    if (n < 0) {
      if (errno == EINTR) continue;
      return fail_errno(path.string(), errno);
    }
    if (n == 0) return content;
    if (content.size() + static_cast<std::size_t>(n) > limit_bytes) {
      return fail(ErrorCode::TooLarge,
                  path.string() + " is larger than " + std::to_string(limit_bytes) + " bytes");
    }
    content.append(buffer, static_cast<std::size_t>(n));
  }
}

Result<void> write_all(int fd, std::string_view content, const Path& path_for_errors) {
  while (!content.empty()) {
    const ssize_t n = ::write(fd, content.data(), content.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return fail_errno(path_for_errors.string(), errno);
    }
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

Result<void> write_file_durably(const Path& path, std::string_view content, unsigned mode) {
  const Path temporary = path.string() + ".tmp";
  auto fd = open_file(temporary, O_WRONLY | O_CREAT | O_TRUNC, mode);
  if (!fd) return fail(fd.error());
  if (auto written = write_all(fd->get(), content, temporary); !written) return written;
  if (::fsync(fd->get()) != 0) return fail_errno(temporary.string(), errno);
  fd->reset();
  if (::rename(temporary.c_str(), path.c_str()) != 0) return fail_errno(path.string(), errno);
  return fsync_directory(path.has_parent_path() ? path.parent_path() : Path("."));
}

Result<void> fsync_directory(const Path& directory) {
  auto fd = open_file(directory, O_RDONLY | O_DIRECTORY);
  if (!fd) return fail(fd.error());
  if (::fsync(fd->get()) != 0) return fail_errno(directory.string(), errno);
  return {};
}

Result<void> make_directories(const Path& directory) {
  Path so_far;
  for (const Path& part : directory) {
    so_far /= part;
    if (::mkdir(so_far.c_str(), 0700) == 0 || errno == EEXIST) continue;
    const int error = errno;
    std::error_code ignored;
    if (!std::filesystem::is_directory(so_far, ignored)) return fail_errno(so_far.string(), error);
  }
  std::error_code ignored;
  if (!std::filesystem::is_directory(directory, ignored)) {
    return fail(ErrorCode::Io, directory.string() + ": not a directory");
  }
  return {};
}

Result<UniqueFd> lock_file(const Path& path) {
  auto fd = open_file(path, O_RDWR | O_CREAT);
  if (!fd) return fd;
  if (::flock(fd->get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      return fail(ErrorCode::Conflict, path.string() + " is locked by another process");
    }
    return fail_errno(path.string(), errno);
  }
  return fd;
}

}  // namespace dkron
