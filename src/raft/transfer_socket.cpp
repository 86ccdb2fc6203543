#include "raft/transfer_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

#include "base/checksum.h"
#include "raft/bytes.h"
#include "raft/stream.h"

namespace dkron::raft {
namespace {

constexpr std::size_t kRequestBytes = 13;
constexpr std::size_t kSumBytes = 16;

tl::unexpected<Error> connection_error(int errno_value) {
  if (errno_value == EAGAIN || errno_value == EWOULDBLOCK) {
    return fail(ErrorCode::Timeout, "the other side makes no progress");
  }
  return fail_errno("connection", errno_value);
}

bool make_blocking(int fd, Duration limit) {
  const int flags = ::fcntl(fd, F_GETFL);
  const auto limit_seconds = std::chrono::duration_cast<seconds>(limit);
  const timeval timeout = {limit_seconds.count(), 0};
  return flags >= 0 && ::fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) == 0 &&
         ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) == 0 &&
         ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) == 0;
}

}  // namespace

Result<std::unique_ptr<TransferSocket>> TransferSocket::take(uv_stream_t* stream) {
  uv_os_fd_t inside = -1;
  UniqueFd fd;
  if (uv_fileno(reinterpret_cast<uv_handle_t*>(stream), &inside) == 0) {
    fd = UniqueFd(::fcntl(inside, F_DUPFD_CLOEXEC, 0));
  }
  close_stream(stream);
  if (!fd.is_open()) return fail(ErrorCode::Io, "the connection has no descriptor");
  if (!make_blocking(fd.get(), kProgressLimit)) return connection_error(errno);
  return std::make_unique<TransferSocket>(std::move(fd));
}

void TransferSocket::abort() {
  ::shutdown(fd_.get(), SHUT_RDWR);
}

Result<void> TransferSocket::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return connection_error(errno);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

Result<std::size_t> TransferSocket::receive_some(char* bytes, std::size_t size) {
  std::size_t have = 0;
  while (have < size) {
    const ssize_t n = ::recv(fd_.get(), bytes + have, size - have, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return connection_error(errno);
    if (n == 0) break;
    have += static_cast<std::size_t>(n);
  }
  return have;
}

Result<void> TransferSocket::receive(char* bytes, std::size_t size) {
  auto have = receive_some(bytes, size);
  if (!have) return fail(have.error());
  if (*have < size) return fail(ErrorCode::Io, "the other side closed the connection");
  return {};
}

Result<void> TransferSocket::send(const FileRequest& request) {
  std::array<char, kRequestBytes> bytes;
  store(bytes.data(), static_cast<std::uint8_t>(request.what));
  store(bytes.data() + 1, request.number);
  store(bytes.data() + 5, request.offset);
  return send(std::string_view(bytes.data(), bytes.size()));
}

Result<FileRequest> TransferSocket::receive_request() {
  std::array<char, kRequestBytes> bytes;
  auto have = receive_some(bytes.data(), bytes.size());
  if (!have) return fail(have.error());
  if (*have == 0) return fail(ErrorCode::Canceled, "the other side has all that it wants");
  const auto what = load<std::uint8_t>(bytes.data());
  if (*have < bytes.size() || what < 1 || what > 2) {
    return fail(ErrorCode::Corrupt, "this is no request for a file");
  }
  return FileRequest{static_cast<FileRequest::What>(what), load<std::uint32_t>(bytes.data() + 1),
                     load<std::uint64_t>(bytes.data() + 5)};
}

Result<void> TransferSocket::send(const FileSum& sum) {
  std::array<char, kSumBytes> bytes;
  store(bytes.data(), sum.size_bytes);
  store(bytes.data() + 8, sum.checksum);
  return send(std::string_view(bytes.data(), bytes.size()));
}

Result<FileSum> TransferSocket::receive_sum() {
  std::array<char, kSumBytes> bytes;
  if (auto received = receive(bytes.data(), bytes.size()); !received) {
    return fail(received.error());
  }
  return FileSum{load<std::uint64_t>(bytes.data()), load<std::uint64_t>(bytes.data() + 8)};
}

Result<FileSum> sum_file(int fd, std::uint64_t size_bytes, const Path& path_for_errors) {
  Checksum64 checksum;
  FileSum sum;
  std::string chunk(TransferSocket::kChunkBytes, '\0');
  while (sum.size_bytes < size_bytes) {
    const std::size_t wanted = std::min<std::uint64_t>(chunk.size(), size_bytes - sum.size_bytes);
    const ssize_t n = ::pread(fd, chunk.data(), wanted, static_cast<off_t>(sum.size_bytes));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(path_for_errors.string(), errno);
    if (n == 0) break;
    checksum.add(std::string_view(chunk.data(), static_cast<std::size_t>(n)));
    sum.size_bytes += static_cast<std::uint64_t>(n);
  }
  sum.checksum = checksum.value();
  return sum;
}

}  // namespace dkron::raft
