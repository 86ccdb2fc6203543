#include "gossip/snapshot_file.h"

#include <algorithm>
#include <charconv>

namespace dkron::gossip {
namespace {

constexpr std::string_view kAlive = "alive: ";
constexpr std::string_view kNotAlive = "not-alive: ";
constexpr std::string_view kClock = "clock: ";
constexpr std::string_view kEventClock = "event-clock: ";
constexpr std::string_view kQueryClock = "query-clock: ";
constexpr std::string_view kCoordinate = "coordinate: ";
constexpr std::string_view kLeave = "leave";

// Cuts `prefix` off; false leaves the line as it is.
bool take(std::string_view& line, std::string_view prefix) {
  if (!line.starts_with(prefix)) return false;
  line.remove_prefix(prefix.size());
  return true;
}

bool read_time(std::string_view digits, LamportTime& time) {
  LamportTime read = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), read);
  if (error != std::errc() || end != digits.data() + digits.size()) return false;
  time = read;
  return true;
}

// The address is behind the last blank: names may have some.
bool read_alive(std::string_view rest, SnapshotRecords& records) {
  const std::size_t blank = rest.rfind(' ');
  if (blank == std::string_view::npos) return false;
  records.alive[std::string(rest.substr(0, blank))] = rest.substr(blank + 1);
  records.has_left = false;
  return true;
}

void leave(SnapshotRecords& records, AfterLeave after_leave) {
  if (after_leave == AfterLeave::Forget) {
    records.alive.clear();
    records.clock = records.event_clock = records.query_clock = 0;
  }
  records.has_left = true;
}

// False when the line is no record.
bool replay(std::string_view line, SnapshotRecords& records, AfterLeave after_leave) {
  if (take(line, kAlive)) return read_alive(line, records);
  if (take(line, kNotAlive)) return records.alive.erase(std::string(line)), true;
  if (take(line, kClock)) return read_time(line, records.clock);
  if (take(line, kEventClock)) return read_time(line, records.event_clock);
  if (take(line, kQueryClock)) return read_time(line, records.query_clock);
  if (line == kLeave) return leave(records, after_leave), true;
  return line.starts_with(kCoordinate) || line.starts_with('#');
}

bool can_stand_in_a_line(std::string_view text) {
  return text.find('\n') == std::string_view::npos;
}

std::string clock_line(std::string_view key, LamportTime time) {
  return std::string(key) + std::to_string(time) + "\n";
}

}  // namespace

Result<SnapshotRecords> parse_snapshot(std::string_view text, AfterLeave after_leave) {
  if (text.size() > kMaxSnapshotBytes) {
    return fail(ErrorCode::TooLarge, "snapshot of " + std::to_string(text.size()) + " bytes");
  }
  SnapshotRecords records;
  std::size_t lines = 0;
  for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    if (++lines > kMaxSnapshotLines) {
      return fail(ErrorCode::TooLarge,
                  "snapshot of more than " + std::to_string(kMaxSnapshotLines) + " lines");
    }
    if (!replay(text.substr(0, end), records, after_leave)) ++records.unreadable;
    text.remove_prefix(end + 1);
  }
  return records;
}

// An address with a blank would be taken for a part of the name.
std::string snapshot_alive_line(std::string_view name, std::string_view address) {
  if (!can_stand_in_a_line(name) || address.find_first_of(" \n") != std::string_view::npos)
    return "";
  return std::string(kAlive).append(name).append(" ").append(address).append("\n");
}

std::string snapshot_not_alive_line(std::string_view name) {
  if (!can_stand_in_a_line(name)) return "";
  return std::string(kNotAlive).append(name).append("\n");
}

std::string snapshot_clock_line(LamportTime time) {
  return clock_line(kClock, time);
}

std::string snapshot_event_clock_line(LamportTime time) {
  return clock_line(kEventClock, time);
}

std::string snapshot_query_clock_line(LamportTime time) {
  return clock_line(kQueryClock, time);
}

std::string snapshot_leave_line() {
  return std::string(kLeave) + "\n";
}

std::string compact_snapshot(const SnapshotRecords& records) {
  std::string text;
  for (const auto& [name, address] : records.alive) text += snapshot_alive_line(name, address);
  return text + snapshot_clock_line(records.clock) +
         snapshot_event_clock_line(records.event_clock) +
         snapshot_query_clock_line(records.query_clock);
}

std::size_t snapshot_compaction_bytes(std::size_t alive_nodes) {
  constexpr std::size_t kLeast = 128 << 10;
  constexpr std::size_t kPerNode = 256;
  return std::max(kLeast, kPerNode * alive_nodes);
}

}  // namespace dkron::gossip
