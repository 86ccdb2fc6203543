#include "raft/file_fetch.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/checksum.h"
#include "base/clock.h"
#include "base/log.h"

namespace dkron::raft {
namespace {

constexpr std::string_view kPartSuffix = ".part";

// Whether the file at `path` has this content; a file that is not there has not.
Result<bool> has_sum(const Path& path, const FileSum& sum) {
  auto fd = open_file(path, O_RDONLY);
  if (!fd && fd.error().code == ErrorCode::NotFound) return false;
  if (!fd) return fail(fd.error());
  struct stat status = {};
  if (::fstat(fd->get(), &status) != 0) return fail_errno(path.string(), errno);
  if (static_cast<std::uint64_t>(status.st_size) != sum.size_bytes) return false;
  auto own = sum_file(fd->get(), sum.size_bytes, path);
  if (!own) return fail(own.error());
  return own->size_bytes == sum.size_bytes && own->checksum == sum.checksum;
}

bool is_present(const Path& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

}  // namespace

FileFetch::FileFetch(TransferSocket& socket, const SnapshotTarget& target, std::string peer)
    : socket_(socket), target_(target), peer_(std::move(peer)) {
  for (const SnapshotFile& file : target_.files) total_bytes_ += file.size_bytes;
}

Result<void> FileFetch::run() {
  logged_at_ = system_clock().steady();
  log::info("raft snapshot: fetching the files",
            {{"from", peer_}, {"files", target_.files.size()}, {"bytes", total_bytes_}});
  for (std::uint32_t number = 0; number < target_.files.size(); ++number) {
    if (auto fetched = fetch_file(number); !fetched) return fetched;
  }
  if (auto removed = remove_others(); !removed) return removed;
  if (auto synced = fsync_directory(target_.directory); !synced) return synced;
  log::info("raft snapshot: the files are here",
            {{"from", peer_}, {"bytes", total_bytes_}, {"downloaded", downloaded_bytes_}});
  return {};
}

Result<void> FileFetch::fetch_file(std::uint32_t number) {
  const SnapshotFile& file = target_.files[number];
  const std::uint64_t before = have_bytes_;
  if (auto sent = socket_.send(FileRequest{FileRequest::What::Checksum, number, 0}); !sent) {
    return sent;
  }
  auto sum = socket_.receive_sum();
  if (!sum) return fail(sum.error());
  if (sum->size_bytes != file.size_bytes) {
    return fail(ErrorCode::Corrupt, "the sender's file " + file.name + " has " +
                                        std::to_string(sum->size_bytes) + " bytes instead of " +
                                        std::to_string(file.size_bytes));
  }
  auto is_here = is_there(file, *sum);
  if (is_here && !*is_here) is_here = link_from_donor(file, *sum);
  if (!is_here) return fail(is_here.error());
  if (!*is_here) {
    if (auto downloaded = download(number, *sum); !downloaded) return downloaded;
  }
  have_bytes_ = before + file.size_bytes;
  return {};
}

Result<bool> FileFetch::is_there(const SnapshotFile& file, const FileSum& sum) const {
  return has_sum(target_.directory / file.name, sum);
}

Result<bool> FileFetch::link_from_donor(const SnapshotFile& file, const FileSum& sum) const {
  if (!file.is_immutable) return false;
  const Path path = target_.directory / file.name;
  for (const Path& donor : target_.donors) {
    if (!is_present(donor / file.name)) continue;
    // Linked before it is read, since the donor may be cleaned up at any time.
    std::error_code error;
    std::filesystem::remove(path, error);
    std::filesystem::create_hard_link(donor / file.name, path, error);
    if (error) continue;
    auto is_same = has_sum(path, sum);
    if (is_same && *is_same) return true;
    std::filesystem::remove(path, error);
  }
  return false;
}

Result<void> FileFetch::download(std::uint32_t number, const FileSum& sum) {
  const SnapshotFile& file = target_.files[number];
  const Path path = target_.directory / file.name;
  const Path part = path.string() + std::string(kPartSuffix);
  auto fd = open_file(part, O_RDWR | O_CREAT);
  if (!fd) return fail(fd.error());
  for (int attempt = 1;; ++attempt) {
    auto is_right = download_once(number, sum, fd->get(), part);
    if (!is_right) return fail(is_right.error());
    if (*is_right) break;
    log::warning("raft snapshot: a file arrived with a wrong checksum",
                 {{"from", peer_}, {"file", file.name}, {"attempt", attempt}});
    if (::ftruncate(fd->get(), 0) != 0) return fail_errno(part.string(), errno);
    if (attempt == kAttempts) {
      return fail(ErrorCode::Corrupt, "the file " + file.name + " never has the right checksum");
    }
  }
  if (::fsync(fd->get()) != 0) return fail_errno(part.string(), errno);
  std::error_code error;
  std::filesystem::rename(part, path, error);
  if (error) return fail_errno(path.string(), error.value());
  return {};
}

Result<bool> FileFetch::download_once(std::uint32_t number, const FileSum& sum, int fd,
                                      const Path& part) {
  struct stat status = {};
  if (::fstat(fd, &status) != 0) return fail_errno(part.string(), errno);
  std::uint64_t offset = static_cast<std::uint64_t>(status.st_size);
  if (offset > sum.size_bytes) offset = 0;
  if (::ftruncate(fd, static_cast<off_t>(offset)) != 0 ||
      ::lseek(fd, static_cast<off_t>(offset), SEEK_SET) < 0) {
    return fail_errno(part.string(), errno);
  }
  const std::uint64_t before = have_bytes_;
  if (offset > 0) {
    log::info("raft snapshot: going on in the middle of a file",
              {{"file", target_.files[number].name}, {"offset", offset}});
    have_bytes_ += offset;
  }
  if (auto sent = socket_.send(FileRequest{FileRequest::What::Content, number, offset}); !sent) {
    return fail(sent.error());
  }
  std::string chunk(TransferSocket::kChunkBytes, '\0');
  while (offset < sum.size_bytes) {
    const std::size_t wanted = std::min<std::uint64_t>(chunk.size(), sum.size_bytes - offset);
    if (auto received = socket_.receive(chunk.data(), wanted); !received) {
      return fail(received.error());
    }
    if (auto written = write_all(fd, std::string_view(chunk.data(), wanted), part); !written) {
      return fail(written.error());
    }
    offset += wanted;
    count(wanted);
  }
  have_bytes_ = before;
  auto own = sum_file(fd, sum.size_bytes, part);
  if (!own) return fail(own.error());
  return own->size_bytes == sum.size_bytes && own->checksum == sum.checksum;
}

void FileFetch::count(std::uint64_t bytes) {
  have_bytes_ += bytes;
  downloaded_bytes_ += bytes;
  const Duration now = system_clock().steady();
  if (now - logged_at_ < kLogPause) return;
  logged_at_ = now;
  log::info("raft snapshot: fetching the files",
            {{"from", peer_}, {"have", have_bytes_}, {"bytes", total_bytes_}});
}

Result<void> FileFetch::remove_others() const {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(target_.directory, error)) {
    const std::string name = entry.path().filename().string();
    const bool is_listed = std::any_of(target_.files.begin(), target_.files.end(),
                                       [&](const SnapshotFile& file) { return file.name == name; });
    if (!is_listed) std::filesystem::remove_all(entry.path(), error);
  }
  if (error) return fail_errno(target_.directory.string(), error.value());
  return {};
}

}  // namespace dkron::raft
