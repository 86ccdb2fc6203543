#include "node/journal.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <iterator>
#include <mutex>
#include <optional>
#include <thread>

#include "base/checksum.h"
#include "base/log.h"

namespace dkron::node {
namespace {

constexpr std::size_t kFrameHead = 12;
constexpr std::size_t kFileLimitBytes = std::size_t{1024} * 1024 * 1024;
// How much is hashed to find an intact record behind a damaged one; beyond it the file counts as
// corrupt.
constexpr std::size_t kSearchLimitBytes = std::size_t{64} * 1024 * 1024;

template <class Number>
void append_little_endian(std::string* out, Number value) {
  for (std::size_t i = 0; i < sizeof value; ++i)
    out->push_back(static_cast<char>(value >> (8 * i)));
}

template <class Number>
Number read_little_endian(std::string_view bytes) {
  Number value = 0;
  for (std::size_t i = 0; i < sizeof value; ++i) {
    value |= static_cast<Number>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  }
  return value;
}

// The frame at the start of `bytes`; nothing when it is not whole and intact.
std::optional<journal::Record> read_frame(std::string_view bytes, std::size_t* size_bytes) {
  if (bytes.size() < kFrameHead) return std::nullopt;
  const auto length = read_little_endian<std::uint32_t>(bytes);
  if (length > Journal::kRecordLimitBytes || bytes.size() - kFrameHead < length)
    return std::nullopt;
  *size_bytes = kFrameHead + length;
  const std::string_view payload = bytes.substr(kFrameHead, length);
  if (checksum64(payload) != read_little_endian<std::uint64_t>(bytes.substr(4)))
    return std::nullopt;
  journal::Record record;
  if (!record.ParseFromArray(payload.data(), static_cast<int>(length))) return std::nullopt;
  return record;
}

// Tells damage from a torn tail: only behind the former do intact records follow.
bool has_intact_frame(std::string_view bytes) {
  std::size_t hashed_bytes = 0;
  for (std::size_t i = 1; i + kFrameHead <= bytes.size(); ++i) {
    std::size_t size_bytes = 0;
    if (read_frame(bytes.substr(i), &size_bytes)) return true;
    hashed_bytes += size_bytes;
    if (hashed_bytes > kSearchLimitBytes) return true;
  }
  return false;
}

struct Item {
  std::string bytes;
  bool durable = false;
  std::function<std::vector<journal::Record>()> replacement;
  Journal::Written written;
};

}  // namespace

void append_frame(std::string* out, const journal::Record& record) {
  const std::string payload = record.SerializeAsString();
  append_little_endian(out, static_cast<std::uint32_t>(payload.size()));
  append_little_endian(out, checksum64(payload));
  *out += payload;
}

Result<std::vector<journal::Record>> parse_frames(std::string_view bytes,
                                                  std::size_t* valid_bytes) {
  std::vector<journal::Record> records;
  *valid_bytes = 0;
  while (*valid_bytes < bytes.size()) {
    const std::string_view rest = bytes.substr(*valid_bytes);
    std::size_t size_bytes = 0;
    auto record = read_frame(rest, &size_bytes);
    if (!record) {
      if (!has_intact_frame(rest)) break;
      return fail(ErrorCode::Corrupt,
                  "a record of the run journal is damaged at byte " + std::to_string(*valid_bytes));
    }
    records.push_back(std::move(*record));
    *valid_bytes += size_bytes;
  }
  return records;
}

namespace {

std::string frames(const std::vector<journal::Record>& records) {
  std::string bytes;
  for (const journal::Record& record : records) append_frame(&bytes, record);
  return bytes;
}

}  // namespace

struct Journal::Impl {
  Path path;
  Post post;
  OnStall on_stall;
  UniqueFd fd;           // Not open: what stands under `path` is to be opened.
  bool is_torn = false;  // Something may stand behind the last whole record.
  std::atomic<std::uint64_t> size_bytes{0};
  std::atomic<std::uint64_t> rewritten_bytes{0};
  std::atomic<bool> is_rewrite_queued{false};
  bool is_stalled = false;
  std::vector<Item> items;  // To be written, in order. Of the thread.

  std::mutex mutex;
  std::condition_variable wake;
  std::vector<Item> queue;
  bool stopping = false;
  std::thread thread;

  void run();
  bool take_items();
  void answer(const Result<void>& result);
  void stall(const Error& error);
  void go_on();
  Result<void> write_items();
  Result<void> write(const std::string& bytes, bool durable);
  Result<void> prepare_file();
  bool is_in_place() const;
  Result<void> replace(const std::string& bytes);
  void put(Item item);
};

void Journal::Impl::put(Item item) {
  {
    std::lock_guard lock(mutex);
    queue.push_back(std::move(item));
  }
  wake.notify_one();
}

void Journal::Impl::run() {
  ::pthread_setname_np(::pthread_self(), "journal");
  for (bool is_last = false; !is_last;) {
    is_last = take_items();
    if (items.empty()) continue;
    if (const auto result = write_items(); result) {
      go_on();
      answer(result);
    } else if (!is_last) {
      stall(result.error());
    } else {
      log::error("journal: records are lost, they could not be written up to the end",
                 {{"error", result.error()}, {"records", items.size()}});
      answer(result);
    }
  }
}

// Waits for something to write, or for the next try; true when nothing comes any more.
bool Journal::Impl::take_items() {
  std::unique_lock lock(mutex);
  if (is_stalled) {
    wake.wait_for(lock, kRetryPause, [this] { return stopping; });
  } else {
    wake.wait(lock, [this] { return stopping || !queue.empty(); });
  }
  std::move(queue.begin(), queue.end(), std::back_inserter(items));
  queue.clear();
  return stopping;
}

void Journal::Impl::answer(const Result<void>& result) {
  auto callbacks = std::make_shared<std::vector<Written>>();
  for (Item& item : items) {
    if (item.written) callbacks->push_back(std::move(item.written));
  }
  items.clear();
  if (callbacks->empty()) return;
  post([callbacks, result] {
    for (const Written& written : *callbacks) written(result);
  });
}

void Journal::Impl::stall(const Error& error) {
  if (std::exchange(is_stalled, true)) return;
  log::error("journal: cannot write; runs wait with their start until it can", {{"error", error}});
  if (on_stall) post([on_stall = on_stall] { on_stall(true); });
}

void Journal::Impl::go_on() {
  if (!std::exchange(is_stalled, false)) return;
  log::info("journal: writes again", {{"records", items.size()}});
  if (on_stall) post([on_stall = on_stall] { on_stall(false); });
}

// All items, or an Error: then each of them is still to be written.
Result<void> Journal::Impl::write_items() {
  for (auto item = items.begin(); item != items.end(); ++item) {
    if (!item->replacement) continue;
    const auto replaced = replace(frames(std::exchange(item->replacement, nullptr)()));
    is_rewrite_queued = false;
    if (!replaced) {
      log::warning("journal: cannot be rewritten now", {{"error", replaced.error()}});
      continue;
    }
    // What was appended before is part of the replacement.
    for (auto before = items.begin(); before != item; ++before) before->bytes.clear();
  }
  std::string bytes;
  bool durable = false;
  for (const Item& item : items) {
    bytes += item.bytes;
    durable = durable || item.durable;
  }
  if (auto prepared = prepare_file(); !prepared) return prepared;
  return bytes.empty() ? Result<void>() : write(bytes, durable);
}

// Appends. After an Error the next one begins where this one began: also when only the sync failed,
// since the kernel may have dropped what it could not write.
Result<void> Journal::Impl::write(const std::string& bytes, bool durable) {
  is_torn = true;
  if (auto written = write_all(fd.get(), bytes, path); !written) {
    if (auto cut = prepare_file(); !cut) log::debug(cut.error().message);
    return written;
  }
  if (durable && ::fdatasync(fd.get()) != 0) return fail_errno(path.string(), errno);
  is_torn = false;
  size_bytes += bytes.size();
  return {};
}

// Half a record must not stay in front of the next one; and a new file counts only when its name
// is durable.
Result<void> Journal::Impl::prepare_file() {
  if (!fd.is_open()) {
    if (auto synced = fsync_directory(path.parent_path()); !synced) return synced;
    auto opened = open_file(path, O_WRONLY | O_APPEND);
    if (!opened) return fail(opened.error());
    fd = std::move(*opened);
  }
  if (is_torn && ::ftruncate(fd.get(), static_cast<off_t>(size_bytes.load())) != 0)
    return fail_errno(path.string(), errno);
  is_torn = false;
  return {};
}

// Whether `fd` is still what stands under `path`.
bool Journal::Impl::is_in_place() const {
  struct stat own {};
  struct stat named {};
  return ::fstat(fd.get(), &own) == 0 && ::stat(path.c_str(), &named) == 0 &&
         own.st_ino == named.st_ino && own.st_dev == named.st_dev;
}

// An Error: the file is as it was.
Result<void> Journal::Impl::replace(const std::string& bytes) {
  if (auto prepared = prepare_file(); !prepared) return prepared;
  if (auto written = write_file_durably(path, bytes); !written && is_in_place()) {
    rewritten_bytes = size_bytes.load();
    return written;
  }
  fd.reset();
  is_torn = false;
  size_bytes = bytes.size();
  rewritten_bytes = bytes.size();
  return {};
}

Journal::Journal(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<Journal>> Journal::open(const Path& path, Post post, const Keep& keep,
                                               OnStall on_stall) {
  std::string bytes;
  auto content = read_file(path, kFileLimitBytes);
  if (content) {
    bytes = std::move(*content);
  } else if (content.error().code != ErrorCode::NotFound) {
    return fail(content.error());
  }
  std::size_t valid_bytes = 0;
  auto records = parse_frames(bytes, &valid_bytes);
  if (!records) return fail(ErrorCode::Corrupt, path.string() + ": " + records.error().message);
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  impl->post = std::move(post);
  impl->on_stall = std::move(on_stall);
  const std::string kept = frames(keep(*records));
  if (auto written = write_file_durably(path, kept); !written) return fail(written.error());
  impl->size_bytes = kept.size();
  impl->rewritten_bytes = kept.size();
  if (auto prepared = impl->prepare_file(); !prepared) return fail(prepared.error());
  Impl* raw = impl.get();
  std::unique_ptr<Journal> journal(new Journal(std::move(impl)));
  raw->thread = std::thread([raw] { raw->run(); });
  return journal;
}

Journal::~Journal() {
  {
    std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->wake.notify_one();
  impl_->thread.join();
}

void Journal::append(const journal::Record& record, bool durable, Written written) {
  Item item;
  append_frame(&item.bytes, record);
  item.durable = durable;
  item.written = std::move(written);
  impl_->put(std::move(item));
}

void Journal::rewrite(std::function<std::vector<journal::Record>()> make) {
  Item item;
  item.replacement = std::move(make);
  impl_->is_rewrite_queued = true;
  impl_->put(std::move(item));
}

bool Journal::is_bloated() const {
  if (impl_->is_rewrite_queued) return false;
  return impl_->size_bytes > std::max<std::uint64_t>(kCompactBytes, 2 * impl_->rewritten_bytes);
}

std::uint64_t Journal::size_bytes() const {
  return impl_->size_bytes;
}

}  // namespace dkron::node
