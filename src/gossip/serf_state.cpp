// The user state of a push/pull.
#include <unordered_map>

#include "gossip/fields.h"
#include "gossip/serf_messages.h"
#include "gossip/serf_types.h"

namespace dkron::gossip {
namespace {

void write_slot(std::string& bytes, const SerfState::EventSlot& slot) {
  FieldWriter out(bytes, 2);
  out.at("Events").list(slot.events.size());
  for (const SerfState::Event& event : slot.events) {
    FieldWriter fields(bytes, 2);
    fields.raw("Name", event.name);
    fields.raw_or_nil("Payload", event.payload);
  }
  out.number("LTime", slot.time);
}

}  // namespace

std::string encode(const SerfState& state) {
  std::string bytes(1, static_cast<char>(SerfType::PushPull));
  FieldWriter out(bytes, 6);
  out.number("EventLTime", state.event_time);
  MsgpackWriter& writer = out.at("Events");
  writer.list(state.events.size());
  for (const auto& slot : state.events) {
    if (slot) {
      write_slot(bytes, *slot);
    } else {
      writer.nil();
    }
  }
  out.number("LTime", state.time);
  out.at("LeftMembers").list(state.left_members.size());
  for (const std::string& name : state.left_members) writer.raw(name);
  out.number("QueryLTime", state.query_time);
  out.at("StatusLTimes").map(state.status_times.size());
  for (const auto& [name, time] : state.status_times) {
    writer.raw(name);
    writer.unsigned_number(time);
  }
  return bytes;
}

namespace {

// What is read of a state, and what may still be.
struct StateReader {
  MsgpackReader in;
  SerfState state;
  std::size_t events_left = kMaxStateEvents;
  bool is_too_large = false;

  bool may_read(std::size_t count, std::size_t most) {
    if (count > most) is_too_large = true;
    return count <= most && !in.failed();
  }
  bool goes_on() const { return !in.failed() && !is_too_large; }
};

void read_slot_events(StateReader& from, std::vector<SerfState::Event>& events) {
  events.clear();
  const std::size_t count = from.in.list();
  if (!from.may_read(count, from.events_left)) return;
  from.events_left -= count;
  for (std::size_t i = 0; i < count && from.goes_on(); ++i) {
    SerfState::Event& event = events.emplace_back();
    read_fields(from.in, [&](std::string_view key) {
      if (key == "Name") return read_text(from.in, event.name);
      if (key == "Payload") return read_bytes(from.in, event.payload);
      return false;
    });
  }
}

std::optional<SerfState::EventSlot> read_slot(StateReader& from) {
  if (from.in.next_is_nil()) {
    from.in.skip();
    return std::nullopt;
  }
  SerfState::EventSlot slot;
  read_fields(from.in, [&](std::string_view key) {
    if (from.is_too_large) return false;
    if (key == "LTime") return read_number(from.in, slot.time);
    if (key != "Events") return false;
    read_slot_events(from, slot.events);
    return true;
  });
  return slot;
}

bool read_ring(StateReader& from) {
  from.state.events.clear();
  const std::size_t slots = from.in.list();
  if (!from.may_read(slots, kMaxStateSlots)) return true;
  for (std::size_t i = 0; i < slots && from.goes_on(); ++i) {
    from.state.events.push_back(read_slot(from));
  }
  return true;
}

bool read_left_members(StateReader& from) {
  from.state.left_members.clear();
  const std::size_t count = from.in.list();
  if (!from.may_read(count, kMaxStateMembers)) return true;
  for (std::size_t i = 0; i < count && from.goes_on(); ++i) {
    from.state.left_members.emplace_back(from.in.raw());
  }
  return true;
}

bool read_status_times(StateReader& from) {
  auto& times = from.state.status_times;
  times.clear();
  const std::size_t count = from.in.map();
  if (!from.may_read(count, kMaxStateMembers)) return true;
  std::unordered_map<std::string_view, std::size_t> places;
  for (std::size_t i = 0; i < count && from.goes_on(); ++i) {
    const std::string_view name = from.in.raw();
    const LamportTime time = from.in.unsigned_number(UINT64_MAX);
    const auto [place, is_new] = places.emplace(name, times.size());
    if (is_new) times.emplace_back(name, time);
    times[place->second].second = time;
  }
  return true;
}

}  // namespace

Result<SerfState> decode_serf_state(std::string_view bytes) {
  const auto body = body_of(bytes, static_cast<std::uint8_t>(SerfType::PushPull), "Serf state");
  if (!body) return fail(body.error());
  StateReader from{MsgpackReader(*body), {}};
  SerfState& state = from.state;
  read_fields(from.in, [&](std::string_view key) {
    if (from.is_too_large) return false;
    if (key == "LTime") return read_number(from.in, state.time);
    if (key == "StatusLTimes") return read_status_times(from);
    if (key == "LeftMembers") return read_left_members(from);
    if (key == "EventLTime") return read_number(from.in, state.event_time);
    if (key == "Events") return read_ring(from);
    if (key == "QueryLTime") return read_number(from.in, state.query_time);
    return false;
  });
  if (from.is_too_large) return fail(ErrorCode::TooLarge, "Serf state: too many elements");
  if (auto read = read_result(from.in, "Serf state"); !read) return fail(read.error());
  return std::move(state);
}

}  // namespace dkron::gossip
