#include "gossip/snapshot.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/log.h"

namespace dkron::gossip {

Result<std::unique_ptr<Snapshot>> Snapshot::open(Path path, AfterLeave after_leave) {
  std::unique_ptr<Snapshot> snapshot(new Snapshot(std::move(path), after_leave));
  if (Result<> read = snapshot->read(); !read) return fail(read.error());
  return snapshot;
}

Result<> Snapshot::read() {
  const Result<std::string> text = read_file(path_, kMaxSnapshotBytes);
  if (!text && text.error().code != ErrorCode::NotFound) return fail(text.error());
  if (text) {
    Result<SnapshotRecords> records = parse_snapshot(*text, after_leave_);
    if (!records) return fail(records.error());
    if (records->unreadable > 0) {
      log::warning("gossip: lines of the snapshot are unreadable",
                   {{"path", path_.string()}, {"lines", records->unreadable}});
    }
    restored_ = std::move(*records);
    file_bytes_ = text->size();
    is_broken_ = !text->empty() && text->back() != '\n';
  }
  records_ = restored_;
  Result<UniqueFd> file = open_file(path_, O_WRONLY | O_APPEND | O_CREAT, 0600);
  if (!file) return fail(file.error());
  file_ = std::move(*file);
  return {};
}

void Snapshot::record(const MemberEvent& event) {
  if (has_left_) return;
  for (const Member& member : event.members) {
    switch (event.type) {
      case MemberEvent::Type::Join:
      // Events of a member may be coalesced to the update that followed its join.
      case MemberEvent::Type::Update: {
        std::string address = member.endpoint.to_string();
        std::string& known = records_.alive[member.name];
        if (known == address) break;
        append(snapshot_alive_line(member.name, address));
        known = std::move(address);
        break;
      }
      case MemberEvent::Type::Leave:
      case MemberEvent::Type::Failed:
      case MemberEvent::Type::Reap:
        if (records_.alive.erase(member.name) > 0) append(snapshot_not_alive_line(member.name));
        break;
    }
  }
}

void Snapshot::record(const Serf::Clocks& clocks) {
  if (has_left_) return;
  record_clock(records_.clock, clocks.member, snapshot_clock_line);
  record_clock(records_.event_clock, clocks.event, snapshot_event_clock_line);
  record_clock(records_.query_clock, clocks.query, snapshot_query_clock_line);
}

void Snapshot::record_clock(LamportTime& known, LamportTime time,
                            std::string (*line)(LamportTime)) {
  if (time <= known) return;
  known = time;
  append(line(time));
}

void Snapshot::append(std::string line) {
  pending_ += line;
  if (pending_.size() <= kMaxPendingBytes) return;
  if (const Result<> flushed = flush(); !flushed) {
    log::warning("gossip: the snapshot cannot be written", {{"reason", flushed.error()}});
  }
}

Result<> Snapshot::flush() {
  const std::size_t limit = snapshot_compaction_bytes(records_.alive.size());
  if (is_broken_ || file_bytes_ + pending_.size() > limit) return compact();
  return write_pending();
}

Result<> Snapshot::write_pending() {
  if (pending_.empty()) return {};
  Result<> written = write_all(file_.get(), pending_, path_);
  is_broken_ = !written;
  file_bytes_ += pending_.size();
  pending_.clear();
  return written;
}

Result<> Snapshot::compact() {
  const std::string text = compact_snapshot(records_);
  pending_.clear();
  is_broken_ = true;  // Until it is done, lines are missing.
  if (Result<> written = write_file_durably(path_, text); !written) return written;
  Result<UniqueFd> file = open_file(path_, O_WRONLY | O_APPEND, 0600);
  if (!file) return fail(file.error());
  file_ = std::move(*file);
  file_bytes_ = text.size();
  is_broken_ = false;
  return {};
}

Result<> Snapshot::leave() {
  if (has_left_) return {};
  if (Result<> flushed = flush(); !flushed) return flushed;
  pending_ = snapshot_leave_line();
  if (Result<> written = write_pending(); !written) return written;
  if (::fsync(file_.get()) != 0) return fail_errno(path_.string(), errno);
  has_left_ = true;
  return {};
}

}  // namespace dkron::gossip
