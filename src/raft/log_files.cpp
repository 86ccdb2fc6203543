#include "raft/log_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <vector>

#include "base/checksum.h"

namespace dkron::raft {
namespace {

constexpr std::string_view kAcknowledgedName = "acknowledged";
constexpr std::string_view kAcknowledgedHead = "dkron-acknowledged 1 ";
constexpr std::string_view kUncleanPrefix = "unclean-";
constexpr std::string_view kOpenPrefix = "open-";
// A closed segment that holds entry 1 alone: what libraft writes when it bootstraps.
constexpr std::string_view kFirstSegment = "0000000000000001-0000000000000001";
constexpr std::size_t kBlockBytes = 64 * 1024;

Result<std::vector<std::string>> list_names(const Path& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  if (error) return fail_errno(directory.string(), error.value());
  std::sort(names.begin(), names.end());
  return names;
}

bool is_of_libraft(const std::string& name) {
  const bool is_closed_segment = name[0] >= '0' && name[0] <= '9';
  return is_closed_segment || name.starts_with(kOpenPrefix) || name.starts_with("metadata") ||
         name.starts_with("snapshot-");
}

std::string acknowledged_text(std::uint64_t index) {
  const std::string head = std::string(kAcknowledgedHead) + std::to_string(index) + " ";
  return head + std::to_string(checksum64(head)) + "\n";
}

bool is_all_zero(std::string_view block) {
  return block.find_first_not_of('\0') == std::string_view::npos;
}

// Copies blocks that hold data and leaves holes for the others, at the same offsets. Creates `to`
// only when there is data; false otherwise.
Result<bool> copy_sparse(const Path& from, const Path& to) {
  auto in = open_file(from, O_RDONLY);
  if (!in) return fail(in.error());
  UniqueFd out;
  std::string block(kBlockBytes, '\0');
  off_t offset = 0;
  for (;;) {
    const ssize_t n = ::pread(in->get(), block.data(), block.size(), offset);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(from.string(), errno);
    if (n == 0) break;
    const std::string_view data(block.data(), static_cast<std::size_t>(n));
    if (!is_all_zero(data)) {
      if (!out.is_open()) {
        auto opened = open_file(to, O_WRONLY | O_CREAT | O_TRUNC);
        if (!opened) return fail(opened.error());
        out = std::move(*opened);
      }
      if (::lseek(out.get(), offset, SEEK_SET) < 0) return fail_errno(to.string(), errno);
      if (auto written = write_all(out.get(), data, to); !written) return fail(written.error());
    }
    offset += n;
  }
  if (!out.is_open()) return false;
  if (::ftruncate(out.get(), offset) != 0 || ::fsync(out.get()) != 0) {
    return fail_errno(to.string(), errno);
  }
  return true;
}

// Names sort by time, since all have the same length.
std::string unclean_name(Instant now) {
  std::string digits = std::to_string(std::max<std::int64_t>(now.unix_nanos(), 0));
  return std::string(kUncleanPrefix) +
         std::string(20 - std::min<std::size_t>(20, digits.size()), '0') + digits;
}

Result<void> remove_old_copies(const Path& directory) {
  auto names = list_names(directory);
  if (!names) return fail(names.error());
  std::erase_if(*names, [](const std::string& name) { return !name.starts_with(kUncleanPrefix); });
  for (std::size_t i = 0; i + kUncleanCopies < names->size(); ++i) {
    std::error_code error;
    std::filesystem::remove_all(directory / (*names)[i], error);
    if (error) return fail_errno((directory / (*names)[i]).string(), error.value());
  }
  return {};
}

}  // namespace

Result<bool> is_pristine(const Path& directory) {
  auto names = list_names(directory);
  if (!names) return fail(names.error());
  return std::none_of(names->begin(), names->end(), is_of_libraft);
}

Result<void> clear_unfinished_founding(const Path& directory) {
  auto names = list_names(directory);
  if (!names) return fail(names.error());
  std::erase_if(*names, [](const std::string& name) { return !is_of_libraft(name); });
  for (const std::string& name : *names) {
    if (name.starts_with("metadata") || name == kFirstSegment) continue;
    return fail(ErrorCode::Corrupt,
                "identity.json says that a group is being founded, but there "
                "is a raft log already: " +
                    (directory / name).string());
  }
  for (const std::string& name : *names) {
    if (::unlink((directory / name).c_str()) != 0) return fail_errno(name, errno);
  }
  return fsync_directory(directory);
}

Result<std::uint64_t> read_acknowledged(const Path& directory) {
  const Path path = directory / kAcknowledgedName;
  auto content = read_file(path, 4096);
  if (!content && content.error().code == ErrorCode::NotFound) return 0;
  if (!content) return fail(content.error());
  std::uint64_t index = 0;
  if (content->starts_with(kAcknowledgedHead)) {
    const char* first = content->data() + kAcknowledgedHead.size();
    std::from_chars(first, content->data() + content->size(), index);
  }
  if (*content != acknowledged_text(index)) {
    return fail(ErrorCode::Corrupt, path.string() +
                                        " is damaged. It says how long the raft log was; when you "
                                        "trust the log, delete the file and start again");
  }
  return index;
}

Result<void> write_acknowledged(const Path& directory, std::uint64_t index) {
  return write_file_durably(directory / kAcknowledgedName, acknowledged_text(index));
}

Result<void> remove_acknowledged(const Path& directory) {
  const Path path = directory / kAcknowledgedName;
  if (::unlink(path.c_str()) == 0) return fsync_directory(directory);
  if (errno == ENOENT) return {};
  return fail_errno(path.string(), errno);
}

Result<bool> save_open_segments(const Path& directory, Instant now) {
  auto names = list_names(directory);
  if (!names) return fail(names.error());
  const Path copy = directory / unclean_name(now);
  bool any = false;
  for (const std::string& name : *names) {
    if (!name.starts_with(kOpenPrefix)) continue;
    if (auto made = make_directories(copy); !made) return fail(made.error());
    auto has_data = copy_sparse(directory / name, copy / name);
    if (!has_data) {
      std::error_code ignored;
      std::filesystem::remove_all(copy, ignored);
      return fail(has_data.error());
    }
    any = any || *has_data;
  }
  if (!any) {
    ::rmdir(copy.c_str());
    return false;
  }
  if (auto synced = fsync_directory(copy); !synced) return fail(synced.error());
  if (auto removed = remove_old_copies(directory); !removed) return fail(removed.error());
  return true;
}

}  // namespace dkron::raft
