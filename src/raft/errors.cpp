#include "raft/errors.h"

#include "raft/libraft.h"

namespace dkron::raft {

Error start_error(int code, std::string_view detail, const Path& directory) {
  const std::string text(detail.empty() ? std::string_view(raft_strerror(code)) : detail);
  const std::string where = "raft log in " + directory.string() + ": " + text;
  switch (code) {
    case RAFT_CORRUPT:
    case RAFT_MALFORMED:
      return {ErrorCode::Corrupt,
              where +
                  ". A file of the log is damaged. With other servers alive: wipe this directory, "
                  "remove this server from the cluster and let it join again. Otherwise restore "
                  "the directory from a copy, or recover from a backup of the jobs"};
    case RAFT_TOOMANY:
      return {ErrorCode::Unavailable,
              where +
                  ". The kernel has no asynchronous I/O contexts left: raise the sysctl "
                  "fs.aio-max-nr (see fs.aio-nr for what is in use) and start again"};
    case RAFT_NOSPACE: return {ErrorCode::Unavailable, where + ". The disk is full"};
    case RAFT_NAMETOOLONG: return {ErrorCode::InvalidArgument, where + ". The path is too long"};
    case RAFT_CANTBOOTSTRAP: return {ErrorCode::Conflict, where};
    default: return {ErrorCode::Io, where};
  }
}

Error refused_error(int code) {
  switch (code) {
    case RAFT_NOTLEADER: return {ErrorCode::Unavailable, "this server is not the leader"};
    case RAFT_NOSPACE:
      return {ErrorCode::Unavailable, "the disk is full on a majority of the servers"};
    case RAFT_SHUTDOWN:
    case RAFT_CANCELED: return {ErrorCode::Unavailable, "this server is shutting down"};
    default: return {ErrorCode::Unavailable, std::string("raft refused: ") + raft_strerror(code)};
  }
}

Error lost_error(int code) {
  if (code == RAFT_LEADERSHIPLOST) {
    return {ErrorCode::OutcomeUnknown, "leadership was lost before the outcome was known"};
  }
  return {ErrorCode::OutcomeUnknown, std::string("outcome unknown: ") + raft_strerror(code)};
}

}  // namespace dkron::raft
