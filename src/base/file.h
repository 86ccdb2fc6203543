// Descriptors and files: small, durable helpers over POSIX.
//
// Every descriptor is opened with O_CLOEXEC. write_file_durably() is atomic: after a crash the path
// holds the old content or the new one. Errors carry the path and strerror. All calls block; only
// threads that may block call them (docs/architecture.md). Free functions, thread-safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace dkron {

using Path = std::filesystem::path;

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~UniqueFd() { reset(); }
  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset();

 private:
  int fd_ = -1;
};

Result<UniqueFd> open_file(const Path& path, int flags, unsigned mode = 0600);

// At most `limit_bytes`; a longer file is TooLarge. A missing one is NotFound.
Result<std::string> read_file(const Path& path, std::size_t limit_bytes);

// Writes a temporary file, fsyncs it, renames it over `path` and fsyncs the directory.
Result<void> write_file_durably(const Path& path, std::string_view content, unsigned mode = 0600);

Result<void> write_all(int fd, std::string_view content, const Path& path_for_errors);
Result<void> fsync_directory(const Path& directory);
// mkdir -p; new directories get mode 0700, since job definitions hold secrets.
Result<void> make_directories(const Path& directory);

// Takes an exclusive advisory lock that ends with the process. Conflict when another process has
// it.
Result<UniqueFd> lock_file(const Path& path);

}  // namespace dkron
