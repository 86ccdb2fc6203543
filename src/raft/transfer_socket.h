// A connection that carries the files of a snapshot, for the thread of one transfer, which may
// block.
//
// What is asked, behind the hello, by the side that connected; integers are little-endian:
//
//    0  u8   what              1: checksum, 2: content
//    1  u32  number            of the file, in the order of the manifest
//    5  u64  offset            of the first byte; checksum: 0
//
// The answer to 1 is u64 size, u64 XXH3-64 of the whole file; to 2 the bytes from the offset to the
// end. Whoever finds something wrong closes the connection.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/file.h"
#include "base/time.h"
#include "raft/libraft.h"

namespace dkron::raft {

struct FileRequest {
  enum class What : std::uint8_t { Checksum = 1, Content = 2 };
  What what = What::Checksum;
  std::uint32_t number = 0;
  std::uint64_t offset = 0;
};

struct FileSum {
  std::uint64_t size_bytes = 0;
  std::uint64_t checksum = 0;
};

class TransferSocket {
 public:
  // A side that neither takes nor sends a byte for so long is given up.
  static constexpr Duration kProgressLimit = seconds(30);
  static constexpr std::size_t kChunkBytes = 256 * 1024;

  explicit TransferSocket(UniqueFd fd) : fd_(std::move(fd)) {}  // Blocking.
  // Takes the connection out of the loop; closes the stream. Raft thread.
  static Result<std::unique_ptr<TransferSocket>> take(uv_stream_t* stream);

  Result<void> send(std::string_view bytes);
  Result<void> send(const FileRequest& request);
  Result<void> send(const FileSum& sum);
  Result<void> receive(char* bytes, std::size_t size);
  // Canceled: the other side has no more questions.
  Result<FileRequest> receive_request();
  Result<FileSum> receive_sum();

  // Lets every call fail from now on. Any thread.
  void abort();

 private:
  // How many came before the end of the connection.
  Result<std::size_t> receive_some(char* bytes, std::size_t size);

  UniqueFd fd_;
};

// Of the file's first `size_bytes` bytes, as many as there are.
Result<FileSum> sum_file(int fd, std::uint64_t size_bytes, const Path& path_for_errors);

}  // namespace dkron::raft
