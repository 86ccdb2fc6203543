// Fetches the files of a snapshot over a connection: the receiving end of a transfer.
//
// A file is taken from what an earlier attempt has left, or linked from a donor directory, when
// size and checksum agree with the sender's; otherwise it comes over the connection, into
// "<name>.part" first, from where that ends. Nothing counts that does not have the sender's
// checksum. Blocks; for a thread of its own. Says in the log how far it is.
#pragma once

#include <string>

#include "raft/node.h"
#include "raft/transfer_socket.h"

namespace dkron::raft {

class FileFetch {
 public:
  static constexpr Duration kLogPause = seconds(10);
  // Of one file whose bytes do not have the sender's checksum.
  static constexpr int kAttempts = 3;

  FileFetch(TransferSocket& socket, const SnapshotTarget& target, std::string peer);

  // Ok: all files are in the target's directory, durable, and nothing else is.
  Result<void> run();

 private:
  Result<void> fetch_file(std::uint32_t number);
  Result<bool> is_there(const SnapshotFile& file, const FileSum& sum) const;
  Result<bool> link_from_donor(const SnapshotFile& file, const FileSum& sum) const;
  Result<void> download(std::uint32_t number, const FileSum& sum);
  // False: the bytes are not the sender's.
  Result<bool> download_once(std::uint32_t number, const FileSum& sum, int fd, const Path& part);
  Result<void> remove_others() const;
  void count(std::uint64_t bytes);

  TransferSocket& socket_;
  const SnapshotTarget& target_;
  const std::string peer_;
  std::uint64_t total_bytes_ = 0;
  std::uint64_t have_bytes_ = 0;        // Of whole files, and of the present one.
  std::uint64_t downloaded_bytes_ = 0;  // Over the connection.
  Duration logged_at_{0};
};

}  // namespace dkron::raft
