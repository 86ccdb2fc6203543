#include "node/journal.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <optional>
#include <thread>

#include "base/checksum.h"
#include "base/log.h"

namespace dkron::node {
namespace {

constexpr std::size_t kFrameHead = 12;
constexpr std::size_t kFileLimitBytes = 1024ULL * 1024 * 1024;
// How much is hashed to find an intact record behind a damaged one; beyond it the file counts as
// corrupt.
constexpr std::size_t kSearchLimitBytes = 64ULL * 1024 * 1024;

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
  UniqueFd fd;
  std::atomic<std::uint64_t> size_bytes{0};
  std::atomic<std::uint64_t> rewritten_bytes{0};
  std::atomic<bool> is_rewrite_queued{false};

  std::mutex mutex;
  std::condition_variable wake;
  std::vector<Item> queue;
  bool stopping = false;
  std::thread thread;

  void run();
  void write(std::vector<Item>& items);
  Result<void> write_items(const std::vector<Item>& items);
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
  for (;;) {
    std::vector<Item> items;
    {
      std::unique_lock lock(mutex);
      wake.wait(lock, [this] { return stopping || !queue.empty(); });
      if (queue.empty()) return;
      items.swap(queue);
    }
    write(items);
  }
}

void Journal::Impl::write(std::vector<Item>& items) {
  const auto result = write_items(items);
  if (!result) log::error("journal: cannot write", {{"error", result.error()}});
  auto callbacks = std::make_shared<std::vector<Written>>();
  for (Item& item : items) {
    if (item.written) callbacks->push_back(std::move(item.written));
  }
  if (callbacks->empty()) return;
  post([callbacks, result] {
    for (const Written& written : *callbacks) written(result);
  });
}

Result<void> Journal::Impl::write_items(const std::vector<Item>& items) {
  std::string bytes;
  bool durable = false;
  for (const Item& item : items) {
    if (item.replacement) {
      is_rewrite_queued = false;
      bytes.clear();  // What was appended before is part of the replacement.
      if (auto replaced = replace(frames(item.replacement())); !replaced) return replaced;
      continue;
    }
    bytes += item.bytes;
    durable = durable || item.durable;
  }
  if (bytes.empty()) return {};
  if (auto written = write_all(fd.get(), bytes, path); !written) {
    // Half a record must not stay in front of the next one.
    if (::ftruncate(fd.get(), static_cast<off_t>(size_bytes.load())) != 0) {
      log::error("journal: cannot cut off a partial record", {{"path", path.string()}});
    }
    return written;
  }
  size_bytes += bytes.size();
  if (durable && ::fdatasync(fd.get()) != 0) return fail_errno(path.string(), errno);
  return {};
}

Result<void> Journal::Impl::replace(const std::string& bytes) {
  if (auto written = write_file_durably(path, bytes); !written) return written;
  auto opened = open_file(path, O_WRONLY | O_APPEND);
  if (!opened) return fail(opened.error());
  fd = std::move(*opened);
  size_bytes = bytes.size();
  rewritten_bytes = bytes.size();
  return {};
}

Journal::Journal(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<Journal>> Journal::open(const Path& path, Post post, const Keep& keep) {
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
  if (auto replaced = impl->replace(frames(keep(*records))); !replaced)
    return fail(replaced.error());
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
