#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/node_runs.h"

namespace dkron::node {
namespace {

// The last `limit_bytes` of the file; `*total_bytes` is its length.
std::string read_tail(const Path& path, std::size_t limit_bytes, std::uint64_t* total_bytes) {
  *total_bytes = 0;
  auto fd = open_file(path, O_RDONLY);
  struct stat status {};
  if (!fd || ::fstat(fd->get(), &status) != 0 || status.st_size <= 0) return {};
  *total_bytes = static_cast<std::uint64_t>(status.st_size);
  const std::uint64_t length = std::min<std::uint64_t>(*total_bytes, limit_bytes);
  std::string tail(length, '\0');
  std::size_t filled = 0;
  while (filled < length) {
    const ssize_t n = ::pread(fd->get(), tail.data() + filled, length - filled,
                              static_cast<off_t>(*total_bytes - length + filled));
    if (n <= 0) break;
    filled += static_cast<std::size_t>(n);
  }
  tail.resize(filled);
  return tail;
}

}  // namespace

CollectedOutput collect_output(const Path& spool, const executor::RunResult& result) {
  CollectedOutput collected;
  std::string head = result.error.empty() ? "" : result.error + "\n";
  if (head.size() > executor::kOutputLimitBytes) head.resize(executor::kOutputLimitBytes);
  std::string tail = result.trailer;
  if (tail.size() > executor::kOutputLimitBytes - head.size()) tail.clear();
  const std::size_t room = executor::kOutputLimitBytes - head.size() - tail.size();
  const std::string body = read_tail(spool, room, &collected.total_bytes);
  collected.truncated = collected.total_bytes > body.size();
  collected.text = std::move(head);
  collected.text += body;
  // A note behind the output stands on a line of its own.
  if (!tail.empty() && !collected.text.empty() && collected.text.back() != '\n' &&
      collected.text.size() + tail.size() < executor::kOutputLimitBytes) {
    collected.text += '\n';
  }
  collected.text += tail;
  return collected;
}

}  // namespace dkron::node
