#include "node/spool_keeper.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/log.h"

namespace dkron::node {
namespace {

constexpr std::uint64_t kBlockBytes = 4096;
// Looking at files takes at most a twentieth of a core.
constexpr int kIdleShare = 20;

std::uint64_t disk_bytes(const struct stat& status) {
  return static_cast<std::uint64_t>(status.st_blocks) * 512;
}

void warn_once() {
  static std::atomic<bool> warned{false};
  if (warned.exchange(true)) return;
  log::warning("node: the file system cannot punch holes, long outputs are emptied instead");
}

void unlink_quietly(const Path& file) {
  if (::unlink(file.c_str()) != 0 && errno != ENOENT) {
    log::warning("node: cannot remove an output file", {{"file", file.string()}});
  }
}

}  // namespace

bool shorten_spool(const Path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
  if (disk_bytes(status) <= SpoolKeeper::kSpoolLimitBytes) return false;
  auto fd = open_file(file, O_WRONLY);
  if (!fd || ::fstat(fd->get(), &status) != 0) return false;
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size <= SpoolKeeper::kSpoolKeptBytes) return false;
  const std::uint64_t hole = (size - SpoolKeeper::kSpoolKeptBytes) / kBlockBytes * kBlockBytes;
  const int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  if (::fallocate(fd->get(), mode, 0, static_cast<off_t>(hole)) == 0) return true;
  warn_once();
  return ::ftruncate(fd->get(), 0) == 0;
}

bool has_writer(const Path& file) {
  auto fd = open_file(file, O_RDONLY);
  if (!fd) return false;
  // A read lease is refused exactly when somebody has the file open for writing. The signal that
  // would announce its break is one that is ignored unless asked for.
  ::fcntl(fd->get(), F_SETSIG, SIGURG);
  return ::fcntl(fd->get(), F_SETLEASE, F_RDLCK) != 0 && errno == EAGAIN;
}

struct SpoolKeeper::Impl {
  explicit Impl(Path the_directory) : directory(std::move(the_directory)) {}

  Path directory;
  std::mutex mutex;
  std::condition_variable wake;
  std::size_t running = 0;
  std::vector<Path> to_remove;
  bool stopping = false;
  std::thread thread;

  std::vector<Path> held;  // Of the thread.

  void run();
  void take_away(std::vector<Path> files);
  void check_all();
};

void SpoolKeeper::Impl::run() {
  ::pthread_setname_np(::pthread_self(), "spool");
  Duration next_check{0};
  std::unique_lock lock(mutex);
  while (!stopping) {
    const auto is_asked = [this] { return stopping || !to_remove.empty(); };
    if (running == 0 && held.empty()) {
      wake.wait(lock, [&] { return is_asked() || running > 0; });
      next_check = system_clock().steady() + kCheckInterval;
    } else {
      wake.wait_for(lock, next_check - system_clock().steady(), is_asked);
    }
    std::vector<Path> files;
    files.swap(to_remove);
    lock.unlock();
    take_away(std::move(files));
    if (const Duration now = system_clock().steady(); now >= next_check) {
      check_all();
      const Duration end = system_clock().steady();
      next_check = end + std::max(kCheckInterval, (end - now) * kIdleShare);
    }
    lock.lock();
  }
  std::vector<Path> files;
  files.swap(to_remove);
  lock.unlock();
  take_away(std::move(files));
}

void SpoolKeeper::Impl::take_away(std::vector<Path> files) {
  for (Path& file : files) {
    if (!has_writer(file)) {
      unlink_quietly(file);
    } else if (held.size() < kHeldLimit) {
      held.push_back(std::move(file));
    } else {
      log::warning("node: too many outputs of ended runs are still written to",
                   {{"file", file.string()}});
      unlink_quietly(file);
    }
  }
}

void SpoolKeeper::Impl::check_all() {
  std::error_code error;
  for (const auto& file : std::filesystem::directory_iterator(directory, error)) {
    shorten_spool(file.path());
  }
  std::vector<Path> files;
  files.swap(held);
  take_away(std::move(files));
}

SpoolKeeper::SpoolKeeper(Path directory) : impl_(std::make_unique<Impl>(std::move(directory))) {
  Impl* impl = impl_.get();
  impl->thread = std::thread([impl] { impl->run(); });
}

SpoolKeeper::~SpoolKeeper() {
  {
    std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->wake.notify_one();
  impl_->thread.join();
}

void SpoolKeeper::run_began() {
  std::lock_guard lock(impl_->mutex);
  if (++impl_->running == 1) impl_->wake.notify_one();
}

void SpoolKeeper::run_ended() {
  std::lock_guard lock(impl_->mutex);
  --impl_->running;
}

void SpoolKeeper::remove(Path file) {
  std::lock_guard lock(impl_->mutex);
  impl_->to_remove.push_back(std::move(file));
  if (impl_->to_remove.size() == 1) impl_->wake.notify_one();
}

}  // namespace dkron::node
